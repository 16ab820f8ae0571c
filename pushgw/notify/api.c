/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - the way of a request: its route, its body, what the queue says, the answer.
 *
 * The configuration is looked at when it is needed and not kept by a request: a push belongs to a
 * lane of the configuration that the queue has at that moment.
 */
#include "pushgw/notify/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/caller.h"
#include "lib/matrix/reply.h"
#include "pushgw/notify/attempts.h"
#include "pushgw/notify/intake.h"
#include "pushgw/notify/quota.h"

#define PATH "/_matrix/push/v1/notify"
#define METHODS "GET, HEAD, POST, OPTIONS"
#define DISCOVERY "{\"unifiedpush\":{\"gateway\":\"matrix\"}}"
#define FIELDS_MAX 1024
#define ERROR_MAX 1024
#define ANSWER_EMPTY 64 /* bytes, and some, of an answer that names nobody */

struct api {
	struct loop *loop;
	struct delayq *queue;
	struct attempts *attempts;
	struct rates *quota;
	struct pushgw_conf *conf; /* one reference */
};

/* One notification, from its head to its answer.  Lives in the arena of its exchange. */
struct call {
	struct api *api;
	struct exchange *ex;
	struct buf body;
	struct intake intake;
	struct delayq_call *put; /* NULL: the queue is not asked */
	struct buf out;          /* what is left of the answer */
	bool *gone;              /* set when it ends while it sends */
};

struct api *
api_new(struct loop *loop, struct delayq *queue, struct pushgw_conf *conf)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->queue = queue;
	a->conf = snapshot_hold(&conf->service.snap);
	a->attempts = attempts_new(&conf->guard);
	a->quota = rates_new(QUOTA_PLACES);
	if (a->attempts != NULL && a->quota != NULL)
		return a;
	api_free(a);
	return NULL;
}

void
api_free(struct api *a)
{
	if (a == NULL)
		return;
	attempts_free(a->attempts);
	rates_free(a->quota);
	snapshot_drop(&a->conf->service.snap);
	free(a);
}

void
api_adopt(struct api *a, struct pushgw_conf *conf)
{
	snapshot_drop(&a->conf->service.snap);
	a->conf = snapshot_hold(&conf->service.snap);
	attempts_adopt(a->attempts, &conf->guard);
}

/* --- answers --- */

static void
answer(struct exchange *ex, int status, struct str fields, struct str body)
{
	series_response(status);
	exchange_answer(ex, status, "application/json", fields, body);
}

/* `fields`: complete header lines besides Retry-After and Allow. */
static void
refuse(struct exchange *ex, enum err why, struct str fields)
{
	unsigned wait = reply_retry_after(why);
	int status = err_rows[why].status != 0 ? err_rows[why].status : 500;
	struct buf lines, body;

	log_info("%016llx notify status=%d reason=%s in=%llu", (unsigned long long)ex->id, status,
	    err_name(why), (unsigned long long)ex->bytes_in);
	buf_init(&lines, FIELDS_MAX);
	buf_init(&body, ERROR_MAX);
	if (buf_put(&lines, fields) &&
	    (wait == 0 || buf_printf(&lines, "Retry-After: %u\r\n", wait)) &&
	    (why != ERR_METHOD || buf_put(&lines, STR("Allow: " METHODS "\r\n"))) &&
	    reply_body(&body, why, STR_NONE, (clock_ms)wait * 1000))
		answer(ex, status, buf_str(&lines), buf_str(&body));
	else
		exchange_abort(ex);
	buf_fini(&lines);
	buf_fini(&body);
}

/* --- the end of a notification --- */

/* Cancels what it waits for and lets go what it holds; the arena goes with the exchange. */
static void
stop(struct call *c)
{
	delayq_cancel(c->put);
	c->put = NULL;
	buf_fini(&c->body);
	buf_fini(&c->out);
	series_notify_time((int64_t)(loop_now(c->api->loop) - c->ex->began));
}

static void
fail(struct call *c, enum err why, struct str fields)
{
	struct exchange *ex = c->ex;

	stop(c);
	refuse(ex, why, fields);
}

static void
on_gone(void *arg, enum err why)
{
	struct call *c = arg;

	(void)why;
	if (c->gone != NULL)
		*c->gone = true;
	if (!c->ex->head_sent)
		series_response(0);
	stop(c);
}

/* Rarely more than one piece: many rejected pushkeys are sent as the homeserver takes them. */
static void
send_answer(struct call *c)
{
	struct exchange *ex = c->ex;
	bool gone = false;
	size_t n;

	c->gone = &gone;
	n = exchange_write(ex, buf_str(&c->out));
	if (gone) /* the connection was lost by that */
		return;
	c->gone = NULL;
	buf_consume(&c->out, n);
	if (buf_len(&c->out) > 0)
		return; /* the room event goes on */
	stop(c);
	exchange_end(ex);
}

static void
finish(struct call *c, const enum delayq_outcome *of)
{
	struct exchange *ex = c->ex;

	/* a byte of a pushkey takes 6 at most where it has to be escaped */
	buf_init(&c->out, ANSWER_EMPTY + 6 * buf_len(&c->body));
	if (!intake_finish(&c->intake, of, &c->out)) {
		fail(c, ERR_MEMORY, STR_NONE);
		return;
	}
	buf_fini(&c->body);
	series_response(200);
	log_debug("%016llx notify status=200 devices=%zu pushes=%zu", (unsigned long long)ex->id,
	    c->intake.n, c->intake.n_pushes);
	if (exchange_answer_head(ex, 200, "application/json", STR_NONE, buf_len(&c->out))) {
		send_answer(c);
	} else {
		stop(c);
		exchange_abort(ex);
	}
}

/* --- the queue --- */

static enum err
queue_refusal(enum err err)
{
	if (err == ERR_MEMORY)
		return err;
	metrics_inc(err == ERR_QUEUE_FULL ? S_QUEUE_FULL : S_QUEUE_FAILED);
	return err == ERR_QUEUE_FULL ? err : ERR_QUEUE_DOWN;
}

static void
on_put(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	struct call *c = arg;

	(void)n;
	c->put = NULL;
	if (err == OK)
		finish(c, of);
	else
		fail(c, queue_refusal(err), STR_NONE);
}

/* The homeserver comes again. */
static void
limit(struct call *c, clock_ms wait)
{
	char line[48];
	int n = snprintf(
	    line, sizeof(line), "Retry-After: %llu\r\n", (unsigned long long)(wait + 999) / 1000);

	metrics_inc(S_NOTIFY_LIMITED);
	fail(c, ERR_RATE, str_of(line, (size_t)n));
}

static void
on_notification(struct call *c)
{
	struct arena *arena = &c->ex->arena;
	const struct pushgw_conf *conf = c->api->conf;
	struct notification n;
	enum err err = notification_read(arena, &conf->notify, buf_str(&c->body), &n);
	clock_ms wait = 0;

	if (err == OK)
		wait = quota_take(
		    c->api->quota, &conf->notify, c->ex->peer, n.n_devices, loop_now(c->api->loop));
	if (wait > 0) {
		limit(c, wait);
		return;
	}
	if (err == OK) {
		metrics_inc(S_NOTIFICATIONS);
		metrics_add(S_DEVICES, (int64_t)n.n_devices);
		err = intake_sort(arena, conf, &n, clock_wall_ms(), &c->intake);
	}
	if (err == OK && c->intake.n_pushes == 0) {
		finish(c, NULL);
		return;
	}
	if (err == OK) {
		c->put = delayq_put(c->api->queue, c->intake.pushes, c->intake.n_pushes, on_put, c);
		err = c->put != NULL ? OK : ERR_MEMORY;
	}
	if (err != OK)
		fail(c, err, STR_NONE);
}

/* --- the body --- */

static void
on_body(void *arg)
{
	struct call *c = arg;
	struct str data;
	enum err why;

	for (;;) {
		switch (exchange_peek(c->ex, &data, &why)) {
		case EXCHANGE_DATA:
			if (!buf_put(&c->body, data)) {
				fail(c, ERR_BODY_SIZE, STR_NONE);
				return;
			}
			exchange_consume(c->ex, data.n);
			break;
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_BAD:
			fail(c, why, STR_NONE);
			return;
		case EXCHANGE_END:
			exchange_want_body(c->ex, false);
			on_notification(c);
			return;
		}
	}
}

static void
on_room(void *arg)
{
	struct call *c = arg;

	if (buf_len(&c->out) > 0)
		send_answer(c);
}

static const struct exchange_events events = {
	.body = on_body,
	.room = on_room,
	.gone = on_gone,
};

/* --- the request --- */

static void
notify(struct api *a, struct exchange *ex)
{
	struct str fields;
	enum err err =
	    attempts_check(a->attempts, &a->conf->clients, ex, loop_now(a->loop), &fields);
	struct call *c = err == OK ? arena_alloc(&ex->arena, sizeof(*c)) : NULL;

	if (c == NULL) {
		refuse(ex, err != OK ? err : ERR_MEMORY, fields);
		return;
	}
	c->api = a;
	c->ex = ex;
	buf_init(&c->out, 0);
	buf_init(&c->body, a->conf->service.limits.body_max);
	ex->events = &events;
	ex->arg = c;
	exchange_limit_body(ex, c->body.max);
	exchange_want_body(ex, true);
	on_body(c);
}

/* Which product asks; for the operating data nobody is refused (A_26184-02-3). */
static void
count_caller(const struct exchange *ex)
{
	static const enum series forms[] = {
		[CALLER_ABSENT] = S_CLIENT_ID_ABSENT,
		[CALLER_INVALID] = S_CLIENT_ID_INVALID,
		[CALLER_VALID] = S_CLIENT_ID_VALID,
	};
	struct str value;

	metrics_inc(forms[caller_read(&ex->req, &value)]);
}

static bool
is_known(struct str target)
{
	struct str path, query;

	str_cut(target, '?', &path, &query);
	return str_eq(path, STR(PATH));
}

void
api_request(struct api *a, struct exchange *ex, enum err bad)
{
	if (bad == OK)
		count_caller(ex);
	if (bad == OK && !is_known(ex->req.target))
		bad = ERR_UNRECOGNIZED;
	if (bad != OK) {
		refuse(ex, bad, STR_NONE);
		return;
	}
	switch (ex->req.method) {
	case H1_POST:
		notify(a, ex);
		break;
	case H1_GET:
	case H1_HEAD:
		answer(ex, 200, STR_NONE, STR(DISCOVERY));
		break;
	case H1_OPTIONS:
		answer(ex, 204, STR("Allow: " METHODS "\r\n"), STR_NONE);
		break;
	default:
		refuse(ex, ERR_METHOD, STR_NONE);
	}
}
