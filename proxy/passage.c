/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage - a state machine over one exchange:
 *
 *   JUDGE   host, route and everything the head alone decides
 *   FACTS   a look-up is on its way (keys, account, known invites)
 *   BODY    the body is being read, because a rule or the signature needs it
 *   DIAL    waiting for an upstream connection
 *   RELAY   forward carries both directions
 *   GONE    over; memory goes at the end of the turn
 *
 * advance() asks what is still needed and enters the state that gets it; when nothing is, the
 * request is forwarded.  Every refusal goes through refuse(), every end through leave().
 */
#include "proxy/passage.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/forward.h"
#include "lib/matrix/keyring.h"
#include "lib/matrix/serverkeys.h"
#include "proxy/homeserver.h"
#include "proxy/inbound.h"
#include "proxy/judge.h"
#include "proxy/lookups.h"
#include "proxy/ratelimit.h"
#include "proxy/refusal.h"
#include "proxy/series.h"

#define SPARE_MAX 64

enum state { JUDGE, FACTS, BODY, DIAL, RELAY, GONE };

static const char *const state_names[] = { "judge", "facts", "body", "dial", "relay", "gone" };

struct passage {
	struct passage *spare;
	struct worker *w;
	struct proxy_conf *conf; /* one reference: a reload does not change a request under way */
	struct pools *pools;     /* likewise, and of the same configuration */
	struct worker_listener *listener;
	struct exchange *ex;
	enum state state;
	enum err why;
	clock_ms retry_after; /* with ERR_RATE */
	int status;
	clock_ms forwarded; /* when the request went to the homeserver */
	size_t service;
	struct judged j;
	struct fact_wait wait;
	struct invite_question *question;
	const struct fact *keys; /* one reference each, or NULL */
	const struct fact *account;
	struct rule_account rule_account;
	bool *known;
	bool keys_renewed;
	bool body_read;
	bool body_judged;
	bool retried;
	struct timer timer;
	struct buf body;
	struct pool_wait dial;
	struct forward forward;
	struct grave grave;
	struct segments path; /* last: not zeroed */
};

static void advance(struct passage *p);
static void on_forwarded(void *arg, enum err err);

/* --- the end --- */

static void
drop_fact(const struct fact **f)
{
	snapshot_drop((struct snapshot *)(uintptr_t)*f);
	*f = NULL;
}

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
	metrics_add(S_REQUEST_BYTES, (int64_t)ex->bytes_in);
	metrics_add(S_RESPONSE_BYTES, (int64_t)ex->bytes_out);
	log_info("%016llx %s status=%d reason=%s route=%s ms=%llu upstream_ms=%llu in=%llu "
		 "out=%llu state=%s",
	    (unsigned long long)ex->id, series_api(api), p->status, err_name(p->why),
	    p->j.route != NULL ? p->j.route->path : "-", (unsigned long long)(now - ex->began),
	    (unsigned long long)(p->forwarded != 0 ? now - p->forwarded : 0),
	    (unsigned long long)ex->bytes_in, (unsigned long long)ex->bytes_out,
	    state_names[p->state]);
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
	fact_cancel(&p->wait);
	lookups_cancel_invites(p->question);
	pool_cancel(&p->dial);
	forward_cancel(&p->forward);
	timer_clear(&p->timer);
	drop_fact(&p->keys);
	drop_fact(&p->account);
	buf_fini(&p->body);
	pools_drop(p->pools);
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
on_fact_timer(void *arg)
{
	refuse(arg, ERR_LOOKUP);
}

static void
enter_facts(struct passage *p)
{
	enter(p, FACTS);
	timer_set(p->w->loop, &p->timer, p->conf->fact_timeout);
}

static void
take_keys(struct passage *p, const struct fact *f)
{
	drop_fact(&p->keys);
	p->keys = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	p->j.keys = f->err == OK ? (const struct serverkeys *)(const void *)f : NULL;
}

static void
on_keys(void *arg, const struct fact *f)
{
	struct passage *p = arg;

	timer_clear(&p->timer);
	take_keys(p, f);
	advance(p);
}

static void
take_account(struct passage *p, const struct fact *f)
{
	const struct account *a = (const struct account *)(const void *)f;

	p->account = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	if (f->err == OK)
		p->rule_account = (struct rule_account){ .known = true,
			.is_admin = a->is_admin,
			.user = str_z(a->user_id),
			.has_displayname = a->has_displayname,
			.displayname = str_z(a->displayname) };
	p->j.account = &p->rule_account;
}

static void
on_account(void *arg, const struct fact *f)
{
	struct passage *p = arg;

	timer_clear(&p->timer);
	take_account(p, f);
	advance(p);
}

static void
on_invites(void *arg, const bool *known)
{
	struct passage *p = arg;

	timer_clear(&p->timer);
	p->question = NULL;
	for (size_t i = 0; i < p->j.n_invites; i++)
		p->known[i] = known[i];
	p->j.invites_known = p->known;
	advance(p);
}

/* true: the keys are here (good or not), false: they will come. */
static bool
have_keys(struct passage *p)
{
	struct keys_input in = { 0 };
	const struct fact *f;

	if (p->keys == NULL && (f = fact_peek(p->w->keys, p->j.origin, &in)) != NULL) {
		metrics_inc(S_KEYS_HIT);
		take_keys(p, f);
	}
	if (p->keys != NULL && (p->j.keys == NULL || p->keys_renewed || !rule_keys_unknown(&p->j)))
		return true;
	if (p->keys != NULL) {
		/* The origin may have a new key: ask again, but not for every stranger's invention.
		 */
		p->keys_renewed = true;
		in.younger_than = keyring_younger_than(loop_now(p->w->loop));
		if (p->keys->looked_up >= in.younger_than)
			return true;
	}
	fact_get(p->w->keys, p->j.origin, &in, in.younger_than, &p->wait, on_keys, p);
	enter_facts(p);
	return false;
}

static bool
have_account(struct passage *p)
{
	struct str token = rule_token(&p->j);
	struct account_input in = { .server_name = str_z(p->j.service->server_name),
		.token = token };
	struct account_key key;
	const struct fact *f;

	if (p->j.account != NULL)
		return true;
	if (token.n == 0) {
		p->j.account = &p->rule_account; /* unknown: the homeserver will ask for a token */
		return true;
	}
	key = account_key(in.server_name, token);
	f = fact_peek(p->w->accounts, account_key_str(&key), &in);
	if (f != NULL) {
		metrics_inc(S_ACCOUNTS_HIT);
		take_account(p, f);
		return true;
	}
	fact_get(p->w->accounts, account_key_str(&key), &in, 0, &p->wait, on_account, p);
	enter_facts(p);
	return false;
}

static bool
have_invites(struct passage *p)
{
	if (p->j.route->rule != RULE_TRANSACTION || p->j.n_invites == 0 ||
	    p->j.invites_known != NULL)
		return true;
	p->known = arena_alloc(&p->ex->arena, p->j.n_invites * sizeof(*p->known));
	if (p->known != NULL)
		p->question = lookups_ask_invites(
		    p->w, p->j.service, p->j.invites, p->j.n_invites, on_invites, p);
	if (p->question == NULL) {
		refuse(p, ERR_MEMORY);
		return false;
	}
	enter_facts(p);
	return false;
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

static char *
put_hex(char *out, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[v >> shift & 15];
	return out;
}

/* What the homeserver is told of the peer.  For every request, so without printf. */
static struct str
extra_fields(struct passage *p)
{
	struct exchange *ex = p->ex;
	struct str peer = str_z(ex->peer);
	char *begin = arena_bytes(&ex->arena, 128 + peer.n + ex->req.host.n), *at = begin;

	if (begin == NULL)
		return STR_NONE;
	at = str_put(at, STR("X-Forwarded-For: "));
	at = str_put(at, peer);
	at = str_put(at, ex->tls ? STR("\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: ")
				 : STR("\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: "));
	at = str_put(at, ex->req.host);
	at = str_put(at, STR("\r\nX-Request-ID: "));
	at = put_hex(at, ex->id);
	at = str_put(at, STR("\r\n"));
	return str_of(begin, (size_t)(at - begin));
}

/* An invite the homeserver has accepted will come a second time, as an event in a transaction.
 * Before the sender learns of it, so that the event cannot be faster. */
static void
on_head(void *arg, int status)
{
	struct passage *p = arg;
	bool invite = p->j.route->rule == RULE_INVITE || p->j.route->rule == RULE_INVITE_V1;

	if (invite && status / 100 == 2 && p->j.n_invites == 1 &&
	    !lookups_note_invite(p->w, p->j.service, &p->j.invites[0]))
		log_error("%016llx out of memory: an accepted invite is not remembered; its event "
			  "will be refused",
		    (unsigned long long)p->ex->id);
}

static void
relay(struct passage *p, struct upstream *up)
{
	const struct proxy_conf *c = p->conf;
	const struct forward_request how = {
		.extra = extra_fields(p),
		.whole_body = p->body_read,
		.body = p->j.body,
		.head_max = c->head_max,
		.fields_max = c->fields_max,
		.first_byte_timeout =
		    p->j.route->slow ? c->upstream_slow_timeout : c->upstream_timeout,
		.idle_timeout = c->upstream_timeout,
		.on_head = on_head,
	};

	enter(p, RELAY);
	if (p->forwarded == 0)
		p->forwarded = clock_now();
	if (how.extra.n == 0) {
		pool_release(up, true);
		refuse(p, ERR_MEMORY);
		return;
	}
	forward_start(&p->forward, p->w->loop, p->ex, up, &how, on_forwarded, p);
}

static void
on_dialled(void *arg, struct upstream *up, enum err why)
{
	struct passage *p = arg;

	if (up == NULL)
		refuse(p, why);
	else
		relay(p, up);
}

static void
dial(struct passage *p)
{
	struct upstream *up = p->retried ? NULL : pool_take(p->pools->of[p->service], NULL, NULL);

	if (up != NULL) {
		relay(p, up);
		return;
	}
	enter(p, DIAL);
	pool_acquire(p->pools->of[p->service], p->retried, &p->dial, on_dialled, p);
}

static void
on_forwarded(void *arg, enum err err)
{
	struct passage *p = arg;
	struct exchange *ex = p->ex;

	p->status = p->forward.response_head ? p->forward.resp.status : 0;
	if (err == OK) {
		if (p->j.route->rule == RULE_SESSION_END && p->status / 100 == 2)
			lookups_forget_accounts(p->w);
		leave(p, OK);
		exchange_end(ex);
		return;
	}
	if (err == ERR_UPSTREAM_DOWN && !p->retried && forward_may_retry(&p->forward, ex)) {
		metrics_inc(S_UPSTREAM_RETRIES);
		p->retried = true;
		dial(p);
		return;
	}
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

	if (signed_by_server) {
		if (!have_keys(p))
			return;
		if (p->j.keys == NULL)
			err = p->keys->err == ERR_OVERLOAD ? ERR_LOOKUP : ERR_XMATRIX_KEY;
		else if (rule_keys_unknown(&p->j))
			err = ERR_XMATRIX_KEY;
	}
	if (err == OK && judge_inspects(&p->j) && !p->body_judged) {
		if (!have_body(p))
			return;
		p->body_judged = true;
		err = judge_body(&p->j);
		if (err == OK && signed_by_server)
			err = rate(
			    p, ratelimit_origin(p->w->rates, p->conf, &p->j, loop_now(p->w->loop)));
	}
	if (err == OK && signed_by_server && !have_invites(p))
		return;
	if (err == OK && judge_guards(&p->j) && rule_displayname_applies(&p->j) && !have_account(p))
		return;
	if (err == OK)
		err = judge_facts(&p->j, p->account != NULL ? p->account->err : OK);
	if (err == OK)
		dial(p);
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
	p->service = (size_t)(j->service - p->conf->services);
	max = judge_body_max(j, p->conf);
	if (req->framing == H1_LENGTH && req->length > max)
		return ERR_BODY_SIZE;
	exchange_limit_body(p->ex, max);
	if (!judge_authenticates(j))
		return OK;
	worker_list(p->w, j->service->federation_index, j->now_ms / 1000, &j->list, &j->list_stale);
	return judge_origin(j);
}

/* --- events of the exchange --- */

static void
on_body(void *arg)
{
	struct passage *p = arg;

	if (p->state == BODY)
		read_body(p);
	else if (p->state == RELAY)
		forward_on_body(&p->forward);
}

static void
on_room(void *arg)
{
	struct passage *p = arg;

	if (p->state == RELAY)
		forward_on_room(&p->forward);
}

static void
on_gone(void *arg, enum err why)
{
	struct passage *p = arg;

	if (p->forward.response_head)
		p->status = p->forward.resp.status;
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
	p->pools = pools_hold(l->worker->pools);
	p->ex = ex;
	ex->events = &events;
	ex->arg = p;
	fact_wait_init(&p->wait);
	pool_wait_init(&p->dial);
	timer_init(&p->timer, on_fact_timer, p);
	p->j.id = ex->id;
	p->j.req = &ex->req;
	p->j.arena = &ex->arena;
	p->j.now_ms = clock_wall_ms();
	if (bad == OK)
		bad = judge(p);
	if (bad != OK)
		refuse(p, bad);
	else
		advance(p);
}
