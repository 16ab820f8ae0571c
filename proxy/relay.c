/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "proxy/lookups.h"
#include "proxy/paths.h"
#include "proxy/series.h"

/* --- what the homeserver is told --- */

static char *
put_hex(char *out, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[v >> shift & 15];
	return out;
}

/* What the homeserver is told of the peer.  For every request, so without printf. */
static struct str
extra_fields(struct exchange *ex)
{
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

/* --- what its answer means to us --- */

/* An invite the homeserver has accepted will come a second time, as an event in a transaction.
 * Before the sender learns of it, so that the event cannot be faster. */
static void
on_head(void *arg, int status)
{
	struct relay *r = arg;
	bool invite = r->j->route->rule == RULE_INVITE || r->j->route->rule == RULE_INVITE_V1;

	if (invite && status / 100 == 2 && r->j->n_invites == 1 &&
	    !lookups_note_invite(r->w, r->j->service, &r->j->invites[0]))
		log_error("%016llx out of memory: an accepted invite is not remembered; its event "
			  "will be refused",
		    (unsigned long long)r->ex->id);
}

static enum err dial(struct relay *r);

static void
on_forwarded(void *arg, enum err err)
{
	struct relay *r = arg;

	if (err == ERR_UPSTREAM_DOWN && !r->retried && forward_may_retry(&r->forward, r->ex)) {
		metrics_inc(S_UPSTREAM_RETRIES);
		r->retried = true;
		err = dial(r);
		if (err == OK)
			return;
	}
	if (err == OK && r->j->route->rule == RULE_SESSION_END && relay_status(r) / 100 == 2)
		lookups_forget_accounts(r->w);
	r->fn(r->arg, err);
}

/* --- how long it may take --- */

/* What the client asked for and a margin; a first sync is also a long computation. */
static clock_ms
poll_timeout(const struct relay *r)
{
	const struct proxy_conf *c = r->conf;
	struct str value = STR_NONE;
	uint64_t asked = 0;
	clock_ms wait;

	if (rule_query(r->j, STR("timeout"), &value) > 0 && !str_to_u64(value, c->poll_max, &asked))
		asked = value.n > 0 && value.p[0] != '-' ? c->poll_max : 0;
	wait = asked + c->poll_margin;
	if (wait < c->upstream_timeout)
		wait = c->upstream_timeout;
	if (wait < c->upstream_slow_timeout && rule_query(r->j, STR("since"), &value) == 0 &&
	    rule_query(r->j, STR("pos"), &value) == 0 && rule_query(r->j, STR("from"), &value) == 0)
		wait = c->upstream_slow_timeout;
	return wait < c->poll_max ? wait : c->poll_max;
}

static clock_ms
first_byte_timeout(const struct relay *r)
{
	switch (r->j->route->pace) {
	case PACE_POLL:
		return poll_timeout(r);
	case PACE_SLOW:
		return r->conf->upstream_slow_timeout;
	case PACE_MEDIA:
		return r->conf->upstream_media_timeout;
	default:
		return r->conf->upstream_timeout;
	}
}

static void
on_total(void *arg)
{
	struct relay *r = arg;

	r->fn(r->arg, ERR_UPSTREAM_TOTAL);
}

/* --- forwarding --- */

static enum err
forward(struct relay *r, struct upstream *up)
{
	const struct forward_request how = {
		.extra = extra_fields(r->ex),
		.whole_body = r->whole_body,
		.body = r->j->body,
		.head_max = r->conf->head_max,
		.fields_max = r->conf->fields_max,
		.first_byte_timeout = first_byte_timeout(r),
		.idle_timeout = r->conf->upstream_body_timeout,
		.on_head = on_head,
	};

	if (r->forwarded == 0)
		r->forwarded = clock_now();
	if (how.extra.n == 0) {
		pool_release(up, true);
		return ERR_MEMORY;
	}
	forward_start(&r->forward, r->w->loop, r->ex, up, &how, on_forwarded, r);
	return OK;
}

/* --- where to --- */

/* Synapse's own tokens, syt_NAME_RANDOM_CHECK, begin with the name of the user: all devices of one
 * meet at one worker (as in Synapse's documentation of workers).  Other tokens stand for
 * themselves. */
static uint64_t
user_key(const struct relay *r)
{
	struct str token = rule_token(r->j), rest, name;

	if (str_has_prefix(token, STR("syt_")) && str_cut(str_from(token, 4), '_', &name, &rest) &&
	    name.n > 0)
		token = name;
	return token.n > 0 ? hash_str(token) : 0;
}

static void
find_upstream(struct relay *r)
{
	const struct service_conf *s = r->j->service;
	const struct paths_row *row =
	    s->map != NULL ? paths_find(s->map, r->j->path, r->ex->req.method) : NULL;

	r->to = service_upstream(s, row != NULL ? row->upstream : 0);
	if (r->to->balance == BALANCE_USER)
		r->key = user_key(r);
	else if (r->to->balance == BALANCE_ROOM && row->room != PATHS_NO_ROOM)
		r->key = hash_str(r->j->path->text[row->room]);
}

/* --- dialling --- */

static void on_dialled(void *arg, struct upstream *up, enum err why);

static struct target *
target(const struct relay *r)
{
	return upstreams_target(r->upstreams, r->to, r->address);
}

/* To r->address. */
static enum err
dial(struct relay *r)
{
	bool repeatable = h1_is_idempotent(r->ex->req.method) &&
			  (r->whole_body || r->ex->req.framing == H1_NO_BODY);
	struct upstream *up = r->retried ? NULL : pool_take(target(r)->pool, !repeatable);

	if (up != NULL)
		return forward(r, up);
	pool_acquire(target(r)->pool, r->retried, &r->dial, on_dialled, r);
	return OK;
}

/* Notes that the address cannot be connected to; true: there is another one to dial. */
static bool
fail_over(struct relay *r)
{
	size_t next;

	upstreams_failed(r->upstreams, r->to, r->address);
	r->tried |= UINT64_C(1) << r->address;
	next = upstreams_choose(r->upstreams, r->to, r->key, r->tried);
	if (next == SIZE_MAX)
		return false;
	metrics_inc(S_UPSTREAM_FAILOVERS);
	r->address = next;
	return true;
}

static void
on_dialled(void *arg, struct upstream *up, enum err why)
{
	struct relay *r = arg;

	if (up != NULL) {
		upstreams_worked(target(r));
		why = forward(r, up);
	} else if (why != ERR_UPSTREAM_BUSY && fail_over(r)) {
		why = dial(r);
	}
	if (why != OK)
		r->fn(r->arg, why);
}

/* --- public --- */

void
relay_init(struct relay *r, struct worker *w, const struct proxy_conf *conf, struct exchange *ex,
    const struct judged *j)
{
	r->w = w;
	r->conf = conf;
	r->upstreams = upstreams_hold(w->upstreams);
	r->ex = ex;
	r->j = j;
	pool_wait_init(&r->dial);
	timer_init(&r->total, on_total, r);
}

void
relay_fini(struct relay *r)
{
	pool_cancel(&r->dial);
	forward_cancel(&r->forward);
	timer_clear(&r->total);
	upstreams_drop(r->upstreams);
}

enum err
relay_start(struct relay *r, bool whole_body, void (*fn)(void *arg, enum err err), void *arg)
{
	r->whole_body = whole_body;
	r->fn = fn;
	r->arg = arg;
	find_upstream(r);
	r->address = upstreams_choose(r->upstreams, r->to, r->key, 0);
	if (r->conf->upstream_total_timeout > 0)
		timer_set(r->w->loop, &r->total, r->conf->upstream_total_timeout);
	return dial(r);
}

void
relay_on_body(struct relay *r)
{
	forward_on_body(&r->forward);
}

void
relay_on_room(struct relay *r)
{
	forward_on_room(&r->forward);
}

int
relay_status(const struct relay *r)
{
	return r->forward.response_head ? r->forward.resp.status : 0;
}
