/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/deliverylab.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "pushgw/series.h"

struct deliverylab dl;

/* --- a queue that notes what it is told --- */

static void
q_free(struct delayq *q)
{
	delayq_fini(q);
}

static bool
q_adopt(struct delayq *q, const struct delayq_config *cfg)
{
	(void)q;
	(void)cfg;
	return dl.queue.adopts;
}

static size_t
q_finish(struct delayq *q, struct delayq_job *job, bool rejected)
{
	(void)q;
	(void)job;
	dl.queue.told = rejected ? REJECTED : FINISHED;
	return rejected ? 3 : 0;
}

static void
q_later(struct delayq *q, struct delayq_job *job, clock_ms after)
{
	(void)q;
	job->attempts++;
	dl.queue.told = LATER;
	dl.queue.after = after;
}

static void
q_kick(struct delayq *q, unsigned lane)
{
	(void)q;
	cr_assert_lt(lane, DELIVERYLAB_APPS);
	dl.queue.kicked |= 1U << lane;
}

static const struct delayq_backend backend = {
	.free = q_free, .adopt = q_adopt, .finish = q_finish, .later = q_later, .kick = q_kick
};

/* --- a provider that answers when told to --- */

static struct attempt *
p_send(struct provider *p, const struct push *push, int64_t expires,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	(void)p;
	(void)push;
	dl.provider.fn = fn;
	dl.provider.arg = arg;
	dl.provider.expires = expires;
	if (dl.provider.no_memory)
		return NULL;
	dl.provider.sent++;
	return (struct attempt *)&dl.provider;
}

static void
p_cancel(struct attempt *a)
{
	cr_assert_eq((void *)a, (void *)&dl.provider);
	dl.provider.cancelled++;
}

static void
p_close(struct provider *p)
{
	(void)p;
	dl.provider.closed++;
}

static bool
p_crowded(const struct provider *p, const struct push *push)
{
	(void)p;
	cr_assert_not_null(push);
	return dl.provider.crowded;
}

static const struct provider_type type = { .name = "fake",
	.one_server = true,
	.send = p_send,
	.crowded = p_crowded,
	.cancel = p_cancel,
	.close = p_close };

/* --- the delivery between them --- */

static void
note_dropped(struct snapshot *s)
{
	(void)s;
	dl.conf_dropped = true;
}

struct lanes *
deliverylab_make_lanes(void)
{
	struct lanes *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	list_init(&s->node);
	s->loop = dl.loop;
	s->conf = snapshot_hold(&dl.conf.service.snap);
	s->v = calloc(DELIVERYLAB_APPS, sizeof(*s->v));
	s->names = calloc(DELIVERYLAB_APPS, sizeof(*s->names));
	cr_assert(s->v != NULL && s->names != NULL);
	for (; s->n < DELIVERYLAB_APPS; s->n++) {
		s->v[s->n].app = &dl.apps[s->n];
		s->v[s->n].type = &type;
		breaker_init(&s->v[s->n].breaker, &dl.conf.delivery);
		s->names[s->n] = dl.apps[s->n].id;
	}
	return s;
}

static void
set_conf(void)
{
	static char folder[] = "/var/lib/x", ids[DELIVERYLAB_APPS][16] = { "org.example", "org.other" };

	for (size_t i = 0; i < DELIVERYLAB_APPS; i++)
		dl.apps[i] = (struct app_conf){ .id = ids[i], .concurrency = 2 };
	snapshot_init(&dl.conf.service.snap, note_dropped);
	dl.conf.service.state_dir = folder;
	dl.conf.apps = dl.apps;
	dl.conf.n_apps = DELIVERYLAB_APPS;
	dl.conf.queue.age_max = 3600000;
	dl.conf.delivery = (struct delivery_conf){ .retry_min = 1000,
		.retry_max = 300000,
		.breaker_pause = 30000,
		.breaker_window = 20,
		.breaker_share = 50 };
}

void
deliverylab_start(void)
{
	cr_assert(series_declare());
	memset(&dl, 0, sizeof(dl));
	set_conf();
	dl.loop = loop_new(NULL);
	cr_assert_not_null(dl.loop);
	dl.delivery = delivery_new(dl.loop, deliverylab_make_lanes());
	cr_assert_not_null(dl.delivery);
	delivery_config(dl.delivery, &dl.cfg);
	cr_assert(delayq_init(&dl.queue.base, &backend, dl.loop, &dl.cfg));
	dl.queue.adopts = true;
	delivery_start(dl.delivery, &dl.queue.base);
	dl.job.push.accepted = clock_wall_ms();
	dl.job.due = loop_now(dl.loop);
}

/* All lanes are gone, and with them what they held. */
void
deliverylab_finish(void)
{
	delivery_free(dl.delivery);
	delayq_free(&dl.queue.base);
	loop_turn(dl.loop);
	loop_free(dl.loop);
	cr_assert(!dl.conf_dropped);
	snapshot_drop(&dl.conf.service.snap);
	cr_assert(dl.conf_dropped);
}

/* --- what tests do --- */

void
deliverylab_hand_out(void)
{
	dl.queue.told = NOTHING;
	dl.cfg.due(dl.cfg.arg, &dl.job);
}

void
deliverylab_answer(struct attempt_result r)
{
	if (r.reason == NULL)
		r.reason = "";
	dl.provider.fn(dl.provider.arg, &r);
}

void
deliverylab_try_once(enum verdict v)
{
	deliverylab_hand_out();
	deliverylab_answer((struct attempt_result){ .verdict = v });
}
