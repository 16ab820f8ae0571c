/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include "lib/base/log.h"
#include "proxy/lookups.h"

/* --- what its answer means to us --- */

/* An invite the homeserver has accepted will come a second time, as an event in a transaction.
 * Before the sender learns of it, so that the event cannot be faster. */
static void
on_head(void *arg, int status)
{
	struct relay *r = arg;
	const struct route *route = r->j->route;
	bool invite =
	    route != NULL && (route->rule == RULE_INVITE || route->rule == RULE_INVITE_V1);

	if (invite && status / 100 == 2 && r->j->n_invites == 1 &&
	    !lookups_note_invite(r->w, r->j->service, &r->j->invites[0]))
		log_error("%016llx out of memory: an accepted invite is not remembered; its event "
			  "will be refused",
		    (unsigned long long)r->ex->id);
}

static enum err dial(struct relay *r);

static bool
may_repeat(const struct relay *r)
{
	return r->hop->strict ? forward_may_retry_unread(&r->forward, r->ex)
			      : forward_may_retry(&r->forward, r->ex);
}

static void
on_forwarded(void *arg, enum err err)
{
	struct relay *r = arg;

	if (err == ERR_UPSTREAM_DOWN && !r->retried && may_repeat(r)) {
		r->hop->repeated();
		r->retried = true;
		err = dial(r);
		if (err == OK)
			return;
	}
	if (err == OK && r->j->route != NULL && r->j->route->rule == RULE_SESSION_END &&
	    relay_status(r) / 100 == 2)
		lookups_forget_accounts(r->w);
	r->fn(r->arg, r->hop->reason(err));
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
		asked = value.n > 0 && value.p[0] >= '0' && value.p[0] <= '9' ? c->poll_max : 0;
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
	switch (r->j->route != NULL ? r->j->route->pace : PACE_ORDINARY) {
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

	r->fn(r->arg, r->hop->reason(ERR_UPSTREAM_TOTAL));
}

/* --- forwarding --- */

static enum err
forward(struct relay *r, struct upstream *up)
{
	struct forward_request how = {
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
	if (!r->hop->address(r, &how)) {
		pool_release(up, true);
		return ERR_MEMORY;
	}
	forward_start(&r->forward, r->w->loop, r->ex, up, &how, on_forwarded, r);
	return OK;
}

/* --- dialling --- */

static void on_dialled(void *arg, struct upstream *up, enum err why);

static enum err
dial(struct relay *r)
{
	bool repeatable = !r->hop->strict && h1_is_idempotent(r->ex->req.method) &&
			  (r->whole_body || r->ex->req.framing == H1_NO_BODY);
	struct upstream *up = r->retried ? NULL : pool_take(r->hop->pool(r), !repeatable);

	if (up != NULL)
		return forward(r, up);
	pool_acquire(r->hop->pool(r), r->retried, &r->dial, on_dialled, r);
	return OK;
}

static void
on_dialled(void *arg, struct upstream *up, enum err why)
{
	struct relay *r = arg;

	if (up != NULL) {
		r->hop->reached(r);
		why = forward(r, up);
	} else if (why != ERR_UPSTREAM_BUSY && r->hop->missed(r)) {
		why = dial(r);
	}
	if (why != OK)
		r->fn(r->arg, r->hop->reason(why));
}

/* --- public --- */

void
relay_init(struct relay *r, struct worker *w, const struct proxy_conf *conf, struct exchange *ex,
    const struct judged *j)
{
	r->w = w;
	r->conf = conf;
	r->upstreams = upstreams_hold(w->upstreams); /* those of `conf` */
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
relay_start(struct relay *r, const struct relay_hop *hop, bool whole_body,
    void (*fn)(void *arg, enum err err), void *arg)
{
	r->hop = hop;
	r->whole_body = whole_body;
	r->fn = fn;
	r->arg = arg;
	hop->start(r);
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
