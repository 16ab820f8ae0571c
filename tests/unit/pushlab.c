/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pushlab.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void
init(struct pushlab *l)
{
	const struct resolver_config rc = { .n_hosts = 0 };

	*l = (struct pushlab){ 0 };
	cr_assert_geq(sodium_init(), 0);
	redisd_init(&l->server, "queue", false);
	l->loop = loop_new(NULL);
	l->resolver = resolver_new(l->loop, &rc);
	l->redis.where.text = l->redis.where.unix_path = l->server.path;
	l->redis.key_prefix = (char *)(uintptr_t) "t:";
	l->redis.timeout = LAB_PATIENCE_MS;
	l->queue.visibility = PUSHLAB_HOUR;
	l->limits = (struct delayq_limits){ .count_max = 100000,
		.bytes_max = 1 << 30,
		.per_pushkey_max = 100,
		.duplicates = PUSHLAB_HOUR,
		.rejected = PUSHLAB_HOUR,
		.rejected_max = 1000 };
}

void
pushlab_init(struct pushlab *l, const char *const *args)
{
	init(l);
	redisd_start(&l->server, args);
}

void
pushlab_init_acl(struct pushlab *l, const char *user)
{
	init(l);
	redisd_start_acl(&l->server);
	l->redis.key_prefix = (char *)(uintptr_t) "schleuse:";
	l->redis.user = (char *)(uintptr_t)user;
	l->redis.password = STR("pw");
}

void
pushlab_fini(struct pushlab *l)
{
	resolver_free(l->resolver);
	loop_free(l->loop);
	redisd_fini(&l->server);
}

/* --- a gateway --- */

static unsigned
lane_of(void *arg, struct str app_id)
{
	struct gateway *g = arg;

	for (unsigned i = 0; i < g->n_lanes; i++)
		if (str_eq(str_z(g->lanes[i]), app_id))
			return i;
	return g->others != NULL && str_has_prefix(app_id, str_z(g->others)) ? 0 : DELAYQ_NO_LANE;
}

static size_t
room_of(void *arg, unsigned lane)
{
	struct gateway *g = arg;
	size_t taken = 0;

	cr_assert_lt(lane, g->n_lanes);
	for (size_t i = 0; i < g->n_jobs; i++)
		taken += g->jobs[i] != NULL && g->jobs[i]->push.lane == lane;
	return taken < g->room ? g->room - taken : 0;
}

static void
on_due(void *arg, struct delayq_job *job)
{
	struct gateway *g = arg;

	cr_assert_lt(g->n_jobs, PUSHLAB_JOBS);
	snprintf(g->order + strlen(g->order), sizeof(g->order) - strlen(g->order), STR_FMT " ",
	    STR_ARG(job->push.event_id));
	g->jobs[g->n_jobs++] = job;
	if (g->done_at_once)
		gateway_finish(g, g->n_jobs - 1, false);
}

static void
on_state(void *arg, enum err why)
{
	((struct gateway *)arg)->state = why;
}

static struct delayq_config
config(struct pushlab *l, struct gateway *g)
{
	return (struct delayq_config){ .limits = l->limits,
		.lanes = g->lanes,
		.n_lanes = g->n_lanes,
		.lane = lane_of,
		.room = room_of,
		.due = on_due,
		.state = on_state,
		.arg = g };
}

void
gateway_open_on(struct pushlab *l, struct gateway *g, struct loop *loop)
{
	struct delayq_config cfg;

	if (g->n_lanes == 0)
		g->lanes[g->n_lanes++] = "app";
	if (g->room == 0)
		g->room = PUSHLAB_JOBS;
	g->state = ERR_COUNT;
	cfg = config(l, g);
	g->q = delayq_redis_open(loop, l->resolver, &l->redis, &l->queue, &cfg);
	cr_assert_not_null(g->q);
}

void
gateway_open(struct pushlab *l, struct gateway *g)
{
	gateway_open_on(l, g, l->loop);
	UNTIL(l->loop, delayq_state(g->q) == OK);
}

void
gateway_adopt(struct pushlab *l, struct gateway *g)
{
	const struct delayq_config cfg = config(l, g);

	cr_assert(delayq_adopt(g->q, &cfg));
}

void
gateway_close(struct gateway *g)
{
	delayq_free(g->q);
	g->q = NULL;
}

/* --- putting --- */

static void
on_put(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	struct gateway *g = arg;

	g->answers++;
	g->err = err;
	cr_assert_lt(n, sizeof(g->of));
	for (size_t i = 0; i < n; i++)
		g->of[i] = "QDR"[of[i]];
	g->of[n] = '\0';
}

struct push
pushlab_push(const char *app, const char *pushkey, const char *event)
{
	return (struct push){ .app_id = str_z(app),
		.pushkey = str_z(pushkey),
		.event_id = str_z(event),
		.room_id = STR("!room:a"),
		.pushkey_ts = 1,
		.accepted = clock_wall_ms() };
}

void
gateway_ask(struct gateway *g, const struct push *pushes, size_t n)
{
	unsigned before = g->answers;

	cr_assert_not_null(delayq_put(g->q, pushes, n, on_put, g));
	cr_assert_eq(g->answers, before, "nobody is called before it returns");
}

enum err
gateway_puts(struct pushlab *l, struct gateway *g, const struct push *pushes, size_t n)
{
	unsigned before = g->answers;

	gateway_ask(g, pushes, n);
	UNTIL(l->loop, g->answers > before);
	return g->err;
}

enum err
gateway_put(struct pushlab *l, struct gateway *g, const char *pushkey, const char *events)
{
	struct push pushes[32];
	char copy[256], *save = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", events);
	for (char *e = strtok_r(copy, " ", &save); e != NULL; e = strtok_r(NULL, " ", &save))
		pushes[n++] = pushlab_push("app", pushkey, e);
	return gateway_puts(l, g, pushes, n);
}

/* --- taking --- */

void
gateway_finish(struct gateway *g, size_t job, bool rejected)
{
	struct delayq_job *j = g->jobs[job];

	cr_assert_not_null(j);
	g->jobs[job] = NULL;
	delayq_finish(g->q, j, rejected);
}

void
gateway_later(struct gateway *g, size_t job, clock_ms after)
{
	struct delayq_job *j = g->jobs[job];

	cr_assert_not_null(j);
	g->jobs[job] = NULL;
	delayq_later(g->q, j, after);
}

void
gateway_finish_all(struct gateway *g)
{
	for (size_t i = 0; i < g->n_jobs; i++)
		if (g->jobs[i] != NULL)
			gateway_finish(g, i, false);
}

/* --- Redis --- */

const char *
pushlab_ask(struct pushlab *l, const char *fmt, ...)
{
	char text[2000], line[4000], *out = line;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *p = text; *p != '\0'; p++)
		out = *p == '@' ? stpcpy(out, PUSHLAB_NAMES) : (*out = *p, out + 1);
	*out = '\0';
	return redisd_ask(&l->server, line);
}

long long
pushlab_number(struct pushlab *l, const char *command)
{
	return atoll(pushlab_ask(l, "%s", command));
}
