/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage - a state machine over one exchange:
 *
 *   JUDGE   host, route and everything the head alone decides
 *   FACTS   a look-up is on its way (keys, account, known invites)
 *   BODY    the body is being read, because a rule or the signature needs it
 *   RELAY   the request may pass: dial, then both directions
 *   GONE    over; memory goes at the end of the turn
 *
 * advance() asks what is still needed and enters the state that gets it; when nothing is, the
 * request is forwarded.  Every refusal goes through refuse(), every end through leave().
 */
#include "proxy/passage.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "proxy/gather.h"
#include "proxy/judge.h"
#include "proxy/ratelimit.h"
#include "proxy/refusal.h"
#include "proxy/relay.h"
#include "proxy/series.h"
#include "proxy/wellknown.h"

#define SPARE_MAX 64

enum state { JUDGE, FACTS, BODY, RELAY, GONE };

static const char *const state_names[] = { "judge", "facts", "body", "relay", "gone" };

struct passage {
	struct passage *spare;
	struct worker *w;
	struct proxy_conf *conf; /* one reference: a reload does not change a request under way */
	struct worker_listener *listener;
	struct exchange *ex;
	enum state state;
	enum err why;
	clock_ms retry_after; /* with ERR_RATE */
	int status;
	struct judged j;
	struct gather gather;
	bool unlisted; /* a member was not on the list when it was looked at first */
	bool body_read;
	bool body_judged;
	bool invites_judged;
	struct buf body;
	struct relay relay;
	struct grave grave;
	struct segments path; /* last: not zeroed */
};

static void advance(struct passage *p);

/* --- the end --- */

static void
passage_free(void *arg)
{
	struct passage *p = arg;
	struct worker *w = p->w;

	if (w->n_spare < SPARE_MAX) {
		p->spare = w->spare;
		w->spare = p;
		w->n_spare++;
	} else {
		free(p);
	}
}

void
passage_drop_spares(struct worker *w)
{
	struct passage *p, *next;

	for (p = w->spare; p != NULL; p = next) {
		next = p->spare;
		free(p);
	}
	w->spare = NULL;
	w->n_spare = 0;
}

static void
report(struct passage *p)
{
	const struct exchange *ex = p->ex;
	clock_ms now = clock_now();
	enum route_api api = p->j.route != NULL ? p->j.route->api : API_NONE;

	series_response(api, p->status);
	metrics_inc(S_ENDED + p->why);
	metrics_add(S_EXCHANGES_OPEN, -1);
	metrics_add(S_REQUEST_BYTES, (int64_t)ex->bytes_in);
	metrics_add(S_RESPONSE_BYTES, (int64_t)ex->bytes_out);
	log_info("%016llx %s status=%d reason=%s route=%s ms=%llu upstream_ms=%llu in=%llu "
		 "out=%llu state=%s",
	    (unsigned long long)ex->id, series_api(api), p->status, err_name(p->why),
	    p->j.route != NULL ? p->j.route->path : "-", (unsigned long long)(now - ex->began),
	    (unsigned long long)(p->relay.forwarded != 0 ? now - p->relay.forwarded : 0),
	    (unsigned long long)ex->bytes_in, (unsigned long long)ex->bytes_out,
	    p->state == RELAY && p->relay.forwarded == 0 ? "dial" : state_names[p->state]);
}

/* The only way out; the exchange itself is ended by the caller, or was by its peer. */
static void
leave(struct passage *p, enum err why)
{
	if (p->state == GONE)
		return;
	p->why = why;
	report(p);
	p->state = GONE;
	gather_fini(&p->gather);
	relay_fini(&p->relay);
	buf_fini(&p->body);
	snapshot_drop(&p->conf->snap);
	loop_bury(p->w->loop, &p->grave, passage_free, p);
}

/* --- refusing --- */

static void
refuse(struct passage *p, enum err why)
{
	struct exchange *ex = p->ex;
	const struct route *route = p->j.route;

	if (!ex->head_sent)
		p->status = refusal_status(ex, why);
	leave(p, why);
	refusal_answer(ex, route, why, p->retry_after);
}

/* Only this and leave() write the state. */
static void
enter(struct passage *p, enum state next)
{
	log_debug("%016llx %s -> %s", (unsigned long long)p->ex->id, state_names[p->state],
	    state_names[next]);
	p->state = next;
}

/* --- facts --- */

static void
on_gathered(void *arg, enum err err)
{
	struct passage *p = arg;

	if (err == OK)
		advance(p);
	else
		refuse(p, err);
}

/* Whether the fact is here; if not, the state has been left for where it comes from. */
static bool
have(struct passage *p, enum gathered g)
{
	if (g == GATHER_LATER)
		enter(p, FACTS);
	else if (g == GATHER_FAILED)
		refuse(p, ERR_MEMORY);
	return g == GATHER_HERE;
}

/* --- the body --- */

static void
read_body(struct passage *p)
{
	struct str data;
	enum err why;

	for (;;) {
		switch (exchange_peek(p->ex, &data, &why)) {
		case EXCHANGE_DATA:
			if (!buf_put(&p->body, data)) {
				refuse(p, buf_len(&p->body) + data.n > p->body.max ? ERR_BODY_SIZE
										   : ERR_MEMORY);
				return;
			}
			exchange_consume(p->ex, data.n);
			break;
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_BAD:
			refuse(p, why);
			return;
		case EXCHANGE_END:
			exchange_want_body(p->ex, false);
			p->body_read = true;
			p->j.body = buf_str(&p->body);
			advance(p);
			return;
		}
	}
}

static bool
have_body(struct passage *p)
{
	if (p->body_read || p->ex->req.framing == H1_NO_BODY ||
	    (p->ex->req.framing == H1_LENGTH && p->ex->req.length == 0))
		return true;
	enter(p, BODY);
	buf_init(&p->body, judge_body_max(&p->j, p->conf));
	exchange_want_body(p->ex, true);
	if (p->state == BODY) /* else the client left when it was told to continue */
		read_body(p);
	return false;
}

/* --- forwarding --- */

static void
on_relayed(void *arg, enum err err)
{
	struct passage *p = arg;
	struct exchange *ex = p->ex;

	p->status = relay_status(&p->relay);
	if (err != OK) {
		refuse(p, err);
		return;
	}
	leave(p, OK);
	exchange_end(ex);
}

static void
relay(struct passage *p)
{
	enum err err;

	enter(p, RELAY);
	err = relay_start(&p->relay, p->body_read, on_relayed, p);
	if (err != OK)
		refuse(p, err);
}

/* --- judging --- */

static enum err
rate(struct passage *p, clock_ms retry_after)
{
	p->retry_after = retry_after;
	return retry_after == 0 ? OK : ERR_RATE;
}

static void
advance(struct passage *p)
{
	bool signed_by_server = judge_authenticates(&p->j);
	enum err err = OK;

	if (p->unlisted && !have(p, gather_member(&p->gather, &err)))
		return;
	p->unlisted = false;
	if (err == OK && signed_by_server) {
		if (!have(p, gather_keys(&p->gather)))
			return;
		err = gather_keys_err(&p->gather);
	}
	if (err == OK && judge_inspects(&p->j) && !p->body_judged) {
		if (!have_body(p))
			return;
		p->body_judged = true;
		err = judge_body(&p->j);
	}
	if (err == OK && signed_by_server && !p->invites_judged) {
		if (!have(p, gather_passports(&p->gather, &err)))
			return;
		p->invites_judged = true;
		if (err == OK)
			err = rate(
			    p, ratelimit_origin(p->w->rates, p->conf, &p->j, loop_now(p->w->loop)));
	}
	if (err == OK && signed_by_server && !have(p, gather_invites(&p->gather)))
		return;
	if (err == OK && judge_guards(&p->j) && rule_displayname_applies(&p->j) &&
	    !have(p, gather_account(&p->gather)))
		return;
	if (err == OK)
		err = judge_facts(&p->j, gather_account_err(&p->gather));
	if (err == OK)
		relay(p);
	else
		refuse(p, err);
}

static enum err
judge(struct passage *p)
{
	const struct h1_head *req = &p->ex->req;
	struct judged *j = &p->j;
	enum err err = judge_head(j, p->conf, p->ex->sni, p->listener->kind, &p->path);
	uint64_t max;

	if (err == OK)
		err = rate(
		    p, ratelimit_head(p->w->rates, p->conf, j, p->ex->peer, loop_now(p->w->loop)));
	if (err != OK)
		return err;
	max = judge_body_max(j, p->conf);
	if (req->framing == H1_LENGTH && req->length > max)
		return ERR_BODY_SIZE;
	exchange_limit_body(p->ex, max);
	if (!judge_authenticates(j))
		return OK;
	err = judge_origin(j);
	if (err == OK)
		err = gather_membership(&p->gather);
	p->unlisted = judge_may_be_new(j, err);
	return p->unlisted ? OK : err;
}

/* A document that is the proxy's own needs no homeserver. */
static bool
serve(struct passage *p)
{
	struct exchange *ex = p->ex;
	const struct document *d = wellknown_document(p->j.service, p->j.route);

	if (d->mode == DOCUMENT_FORWARD)
		return false;
	if (d->mode == DOCUMENT_OFF) {
		refuse(p, ERR_UNRECOGNIZED);
		return true;
	}
	p->status = 200;
	leave(p, OK);
	wellknown_answer(ex, d);
	return true;
}

/* --- events of the exchange --- */

static void
on_body(void *arg)
{
	struct passage *p = arg;

	if (p->state == BODY)
		read_body(p);
	else if (p->state == RELAY)
		relay_on_body(&p->relay);
}

static void
on_room(void *arg)
{
	struct passage *p = arg;

	if (p->state == RELAY)
		relay_on_room(&p->relay);
}

static void
on_gone(void *arg, enum err why)
{
	struct passage *p = arg;

	p->status = relay_status(&p->relay);
	leave(p, why);
}

static const struct exchange_events events = { .body = on_body, .room = on_room, .gone = on_gone };

static struct passage *
passage_alloc(struct worker *w)
{
	struct passage *p = w->spare;

	if (p != NULL) {
		w->spare = p->spare;
		w->n_spare--;
	} else {
		p = malloc(sizeof(*p));
	}
	if (p != NULL)
		memset(p, 0, offsetof(struct passage, path));
	return p;
}

void
passage_open(void *listener, struct exchange *ex, enum err bad)
{
	struct worker_listener *l = listener;
	struct passage *p = passage_alloc(l->worker);

	if (p == NULL) {
		exchange_abort(ex);
		return;
	}
	p->w = l->worker;
	p->listener = l;
	p->conf = snapshot_hold(&l->worker->conf->snap);
	p->ex = ex;
	ex->events = &events;
	ex->arg = p;
	gather_init(&p->gather, p->w, &p->j, p->conf->fact_timeout, on_gathered, p);
	relay_init(&p->relay, p->w, p->conf, ex, &p->j);
	if (ex->tls)
		ex->hsts = p->conf->hsts_value;
	p->j.id = ex->id;
	p->j.req = &ex->req;
	p->j.arena = &ex->arena;
	p->j.now_ms = clock_wall_ms();
	metrics_inc(S_EXCHANGES_OPEN);
	if (bad == OK)
		bad = judge(p);
	if (bad != OK)
		refuse(p, bad);
	else if (p->j.route->document == DOCUMENT_NONE || !serve(p))
		advance(p);
}
