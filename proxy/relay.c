/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include "lib/base/log.h"
#include "proxy/inbound.h"
#include "proxy/lookups.h"
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

/* --- dialling --- */

static enum err
forward(struct relay *r, struct upstream *up)
{
	const struct proxy_conf *c = r->conf;
	const struct forward_request how = {
		.extra = extra_fields(r->ex),
		.whole_body = r->whole_body,
		.body = r->j->body,
		.head_max = c->head_max,
		.fields_max = c->fields_max,
		.first_byte_timeout =
		    r->j->route->slow ? c->upstream_slow_timeout : c->upstream_timeout,
		.idle_timeout = c->upstream_timeout,
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

static void
on_dialled(void *arg, struct upstream *up, enum err why)
{
	struct relay *r = arg;

	if (up != NULL)
		why = forward(r, up);
	if (why != OK)
		r->fn(r->arg, why);
}

static enum err
dial(struct relay *r)
{
	struct pool *pool = r->pools->of[r->j->service - r->conf->services];
	struct upstream *up = r->retried ? NULL : pool_take(pool, NULL, NULL);

	if (up != NULL)
		return forward(r, up);
	pool_acquire(pool, r->retried, &r->dial, on_dialled, r);
	return OK;
}

/* --- public --- */

void
relay_init(struct relay *r, struct worker *w, const struct proxy_conf *conf, struct exchange *ex,
    const struct judged *j)
{
	r->w = w;
	r->conf = conf;
	r->pools = pools_hold(w->pools);
	r->ex = ex;
	r->j = j;
	pool_wait_init(&r->dial);
}

void
relay_fini(struct relay *r)
{
	pool_cancel(&r->dial);
	forward_cancel(&r->forward);
	pools_drop(r->pools);
}

enum err
relay_start(struct relay *r, bool whole_body, void (*fn)(void *arg, enum err err), void *arg)
{
	r->whole_body = whole_body;
	r->fn = fn;
	r->arg = arg;
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
