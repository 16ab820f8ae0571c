/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/connect.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/fact/fact.h"
#include "lib/net/connector.h"
#include "proxy/outbound/aim.h"
#include "proxy/outbound/remotes.h"
#include "proxy/outbound/tunnel.h"
#include "proxy/refusal.h"
#include "proxy/series.h"

struct connect {
	struct worker *w;
	struct exchange *ex;
	struct proxy_conf *conf; /* one reference */
	const struct service_conf *service;
	struct str host; /* in the exchange's arena */
	uint16_t port;
	struct fact_wait wait;
	struct timer timer; /* of the look-up */
	/* one reference each, or NULL */
	const struct destination *destination;
	const struct destination *through; /* where the HTTP proxy in between is */
	struct remote *remote;
	struct connector *connector;
	struct grave grave;
};

/* --- the end --- */

static void
report(const struct exchange *ex, int status, enum err why)
{
	series_response(API_OUTBOUND, status);
	metrics_inc(S_ENDED + why);
	log_info("%016llx outbound status=%d reason=%s route=CONNECT ms=%llu",
	    (unsigned long long)ex->id, status, err_name(why),
	    (unsigned long long)(clock_now() - ex->began));
}

static void
refuse(struct exchange *ex, enum err why)
{
	report(ex, refusal_status(ex, why), why);
	refusal_answer(ex, NULL, why, STR_NONE, 0);
}

static void
leave(struct connect *c)
{
	metrics_add(S_EXCHANGES_OPEN, -1);
	fact_cancel(&c->wait);
	timer_clear(&c->timer);
	connector_cancel(c->connector);
	remote_drop(c->remote);
	snapshot_drop((struct snapshot *)(uintptr_t)c->destination);
	snapshot_drop((struct snapshot *)(uintptr_t)c->through);
	snapshot_drop(&c->conf->snap);
	loop_bury(c->w->loop, &c->grave, free, c);
}

static void
end(struct connect *c, enum err why)
{
	struct exchange *ex = c->ex;

	leave(c);
	refuse(ex, why);
}

static void
on_gone(void *arg, enum err why)
{
	struct connect *c = arg;

	report(c->ex, 0, why);
	leave(c);
}

static void
on_nothing(void *arg)
{
	(void)arg;
}

static const struct exchange_events events = {
	.body = on_nothing, .room = on_nothing, .gone = on_gone
};

/* --- a destination that is allowed uninspected --- */

static enum err
find_room(const struct worker *w)
{
	if (w->out.n_tunnels < w->conf->forward.tunnels_max)
		return OK;
	metrics_inc(S_TUNNELS_REFUSED);
	return ERR_OVERLOAD;
}

static void
on_connected(void *arg, struct stream *s, enum err why)
{
	struct connect *c = arg;

	c->connector = NULL;
	remote_count(why);
	if (s == NULL) {
		end(c, why);
		return;
	}
	why = find_room(c->w);
	if (why == OK)
		why = tunnel_pass(c->w, c->ex, c->service, c->host, c->port, s);
	if (why != OK) {
		stream_close(s);
		end(c, why);
		return;
	}
	series_response(API_OUTBOUND, 200); /* the rest is said when the tunnel ends */
	leave(c);
}

static void
dial(struct connect *c)
{
	struct worker *w = c->w;
	enum err why;

	c->remote = remotes_get(w->out.remotes, c->destination, c->through, false, &why);
	if (c->remote == NULL) {
		end(c, why);
		return;
	}
	c->connector = connector_start(w->loop, remote_target(c->remote), on_connected, c);
	if (c->connector == NULL)
		end(c, ERR_MEMORY);
}

static void ask(struct connect *c);

static void
on_place(void *arg, const struct fact *f)
{
	struct connect *c = arg;

	*(c->destination == NULL ? &c->destination : &c->through) =
	    snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	ask(c);
}

/* Where it is, and where the HTTP proxy in between is, if there is one. */
static void
ask(struct connect *c)
{
	struct worker *w = c->w;
	char at[DESTINATION_KEY_MAX];
	struct str key = c->destination == NULL ? destination_key_host(c->host, c->port, at)
						: w->conf->forward.proxy_key;

	if (key.n > 0 && c->through == NULL) {
		fact_get(w->destinations, key, NULL, 0, &c->wait, on_place, c);
		return;
	}
	timer_clear(&c->timer);
	dial(c);
}

static void
on_timer(void *arg)
{
	end(arg, ERR_LOOKUP);
}

static void
pass(struct worker *w, struct exchange *ex, const struct service_conf *s, const struct aim *aim)
{
	struct connect *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		refuse(ex, ERR_MEMORY);
		return;
	}
	metrics_inc(S_EXCHANGES_OPEN);
	c->w = w;
	c->ex = ex;
	c->conf = snapshot_hold(&w->conf->snap);
	c->service = s;
	c->host = aim->host;
	c->port = aim->port;
	ex->events = &events;
	ex->arg = c;
	fact_wait_init(&c->wait);
	timer_init(&c->timer, on_timer, c);
	timer_set(w->loop, &c->timer, w->conf->fact_timeout);
	ask(c);
}

/* --- public --- */

void
connect_open(struct worker *w, struct exchange *ex, const struct service_conf *s)
{
	struct aim aim = { 0 };
	enum err err = aim_at(&aim, &ex->arena, ex->req.authority, 0);

	log_debug(
	    "%016llx CONNECT " STR_FMT, (unsigned long long)ex->id, STR_ARG(ex->req.authority));
	if (err == OK)
		aim.allowed = aim_allowed(&aim, &s->way_out);
	if (err == OK)
		err = find_room(w);
	if (err == OK && aim.allowed != NULL && !aim.allowed->inspect) {
		pass(w, ex, s, &aim);
		return;
	}
	if (err == OK && w->out.mint == NULL)
		err = ERR_OUT_TARGET_REFUSED;
	if (err == OK)
		err = tunnel_inspect(w, ex, s, aim.host, aim.port);
	if (err == OK)
		report(ex, 200, OK);
	else
		refuse(ex, err);
}
