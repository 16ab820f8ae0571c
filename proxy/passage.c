/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage - a state machine over one exchange:
 *
 *   JUDGE   host, route and everything the head alone decides
 *   FACTS   a look-up is on its way (keys, account, known invites, where another server is)
 *   BODY    the body is being read, because a rule or the signature needs it
 *   RELAY   the request may pass: dial, then both directions
 *   GONE    over; memory goes at the end of the turn
 *
 * The side's advance() asks what is still needed and enters the state that gets it; when nothing
 * is, the request is forwarded.  Every refusal goes through passage_refuse(), every end through
 * leave().
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "proxy/passage_int.h"
#include "proxy/refusal.h"
#include "proxy/series.h"

#define SPARE_MAX 64

static const char *const state_names[] = { "judge", "facts", "body", "relay", "gone" };

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

/* " server=", or nothing. */
static const char *
linked(const struct passage *p, char out[32])
{
	struct str other = p->side->other != NULL ? p->side->other(p) : STR_NONE;
	char id[17];

	if (other.n == 0)
		return "";
	snprintf(out, 32, " server=%s", log_id(other, id));
	return out;
}

static void
report(struct passage *p)
{
	const struct exchange *ex = p->ex;
	char server[32];
	clock_ms now = clock_now();
	enum route_api api = p->side->api != API_NONE ? p->side->api
			     : p->j.route != NULL     ? p->j.route->api
						      : API_NONE;

	series_response(api, p->status);
	metrics_inc(S_ENDED + p->why);
	metrics_add(S_EXCHANGES_OPEN, -1);
	metrics_add(S_REQUEST_BYTES, (int64_t)ex->bytes_in);
	metrics_add(S_RESPONSE_BYTES, (int64_t)ex->bytes_out);
	log_info("%016llx %s status=%d reason=%s route=%s ms=%llu upstream_ms=%llu in=%llu "
		 "out=%llu state=%s%s",
	    (unsigned long long)ex->id, series_api(api), p->status, err_name(p->why),
	    p->j.route != NULL ? p->j.route->path : "-", (unsigned long long)(now - ex->began),
	    (unsigned long long)(p->relay.forwarded != 0 ? now - p->relay.forwarded : 0),
	    (unsigned long long)ex->bytes_in, (unsigned long long)ex->bytes_out,
	    p->state == RELAY && p->relay.forwarded == 0 ? "dial" : state_names[p->state],
	    linked(p, server));
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
	if (p->side->left != NULL)
		p->side->left(p);
	buf_fini(&p->body);
	snapshot_drop(&p->conf->snap);
	loop_bury(p->w->loop, &p->grave, passage_free, p);
}

void
passage_leave(struct passage *p, int status)
{
	p->status = status;
	leave(p, OK);
}

/* --- refusing --- */

void
passage_refuse(struct passage *p, enum err why)
{
	if (!p->ex->head_sent)
		p->status = refusal_status(p->ex, why);
	leave(p, why);
	p->side->answer(p, why);
}

/* Only this and leave() write the state. */
static void
enter(struct passage *p, enum passage_state next)
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
		p->side->advance(p);
	else
		passage_refuse(p, err);
}

bool
passage_have(struct passage *p, enum gathered g)
{
	if (g == GATHER_LATER)
		enter(p, FACTS);
	else if (g == GATHER_FAILED)
		passage_refuse(p, ERR_MEMORY);
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
				passage_refuse(p, buf_len(&p->body) + data.n > p->body.max
						      ? ERR_BODY_SIZE
						      : ERR_MEMORY);
				return;
			}
			exchange_consume(p->ex, data.n);
			break;
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_BAD:
			passage_refuse(p, why);
			return;
		case EXCHANGE_END:
			exchange_want_body(p->ex, false);
			p->body_read = true;
			p->j.body = buf_str(&p->body);
			p->side->advance(p);
			return;
		}
	}
}

bool
passage_have_body(struct passage *p, uint64_t max)
{
	if (p->body_read || p->ex->req.framing == H1_NO_BODY ||
	    (p->ex->req.framing == H1_LENGTH && p->ex->req.length == 0))
		return true;
	enter(p, BODY);
	buf_init(&p->body, max);
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
		passage_refuse(p, err);
		return;
	}
	leave(p, OK);
	exchange_end(ex);
}

void
passage_relay(struct passage *p, const struct relay_hop *hop)
{
	enum err err;

	enter(p, RELAY);
	err = relay_start(&p->relay, hop, p->body_read, on_relayed, p);
	if (err != OK)
		passage_refuse(p, err);
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

struct passage *
passage_new(struct worker *w, const struct passage_side *side, struct exchange *ex)
{
	struct passage *p = passage_alloc(w);

	if (p == NULL) {
		exchange_abort(ex);
		return NULL;
	}
	p->w = w;
	p->side = side;
	p->conf = snapshot_hold(&w->conf->snap);
	p->ex = ex;
	ex->events = &events;
	ex->arg = p;
	gather_init(&p->gather, p->w, &p->j, p->conf->fact_timeout, on_gathered, p);
	relay_init(&p->relay, p->w, p->conf, ex, &p->j);
	p->j.id = ex->id;
	p->j.req = &ex->req;
	p->j.arena = &ex->arena;
	p->j.now_ms = clock_wall_ms();
	metrics_inc(S_EXCHANGES_OPEN);
	return p;
}
