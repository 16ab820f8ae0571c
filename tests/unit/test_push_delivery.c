/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a push, by the verdict of its provider: a queue and a provider that do as the
 * test says stand in for the real ones.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "pushgw/delivery/delivery.h"
#include "pushgw/queue/delayq_int.h"
#include "pushgw/series.h"

/* --- a queue that notes what it is told --- */

enum told { NOTHING, FINISHED, REJECTED, LATER };

static struct {
	struct delayq base;
	enum told told;
	clock_ms after;
	unsigned kicked;
	bool adopts;
} queue;

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
	return queue.adopts;
}

static size_t
q_finish(struct delayq *q, struct delayq_job *job, bool rejected)
{
	(void)q;
	(void)job;
	queue.told = rejected ? REJECTED : FINISHED;
	return rejected ? 3 : 0;
}

static void
q_later(struct delayq *q, struct delayq_job *job, clock_ms after)
{
	(void)q;
	job->attempts++;
	queue.told = LATER;
	queue.after = after;
}

static void
q_kick(struct delayq *q, unsigned lane)
{
	(void)q;
	(void)lane;
	queue.kicked++;
}

static const struct delayq_backend backend = {
	.free = q_free, .adopt = q_adopt, .finish = q_finish, .later = q_later, .kick = q_kick
};

/* --- a provider that answers when told to --- */

static struct {
	void (*fn)(void *arg, const struct attempt_result *r);
	void *arg;
	unsigned sent, cancelled, closed;
	int64_t expires;
	bool no_memory, crowded;
} provider;

static struct attempt *
p_send(struct provider *p, const struct push *push, int64_t expires,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	(void)p;
	(void)push;
	provider.fn = fn;
	provider.arg = arg;
	provider.expires = expires;
	if (provider.no_memory)
		return NULL;
	provider.sent++;
	return (struct attempt *)&provider;
}

static void
p_cancel(struct attempt *a)
{
	cr_assert_eq((void *)a, (void *)&provider);
	provider.cancelled++;
}

static void
p_close(struct provider *p)
{
	(void)p;
	provider.closed++;
}

static bool
p_crowded(const struct provider *p, const struct push *push)
{
	(void)p;
	cr_assert_not_null(push);
	return provider.crowded;
}

static const struct provider_type type = { .name = "fake",
	.one_server = true,
	.send = p_send,
	.crowded = p_crowded,
	.cancel = p_cancel,
	.close = p_close };

/* --- the delivery between them --- */

static char app_id[] = "org.example";
static struct app_conf app;
static struct pushgw_conf conf;
static struct loop *loop;
static struct delivery *delivery;
static struct delayq_config cfg;
static struct delayq_job job;

static void
keep(struct snapshot *s)
{
	(void)s;
}

/* As lanes_open() makes them, but with the provider of this test. */
static struct lanes *
make_lanes(void)
{
	struct lanes *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	list_init(&s->node);
	s->loop = loop;
	s->conf = snapshot_hold(&conf.service.snap);
	s->v = calloc(1, sizeof(*s->v));
	s->names = calloc(1, sizeof(*s->names));
	cr_assert(s->v != NULL && s->names != NULL);
	s->v[0].app = &app;
	s->v[0].type = &type;
	breaker_init(&s->v[0].breaker, &conf.delivery);
	s->names[0] = app.id;
	s->n = 1;
	return s;
}

static void
setup(void)
{
	cr_assert(series_declare());
	app = (struct app_conf){ .id = app_id, .concurrency = 2 };
	memset(&conf, 0, sizeof(conf));
	snapshot_init(&conf.service.snap, keep);
	conf.apps = &app;
	conf.n_apps = 1;
	conf.queue.age_max = 3600000;
	conf.delivery = (struct delivery_conf){ .retry_min = 1000,
		.retry_max = 300000,
		.breaker_pause = 30000,
		.breaker_window = 20,
		.breaker_share = 50 };
	loop = loop_new(NULL);
	cr_assert_not_null(loop);
	delivery = delivery_new(loop, make_lanes());
	cr_assert_not_null(delivery);
	delivery_config(delivery, &cfg);
	cr_assert(delayq_init(&queue.base, &backend, loop, &cfg));
	queue.adopts = true;
	delivery_start(delivery, &queue.base);
	memset(&job, 0, sizeof(job));
	job.push.accepted = clock_wall_ms();
	job.due = loop_now(loop);
}

static void
teardown(void)
{
	delivery_free(delivery);
	delayq_free(&queue.base);
	loop_turn(loop);
	loop_free(loop);
}

TestSuite(push_delivery, .init = setup, .fini = teardown);

static void
hand_out(void)
{
	queue.told = NOTHING;
	cfg.due(cfg.arg, &job);
}

static void
answer(struct attempt_result r)
{
	if (r.reason == NULL)
		r.reason = "";
	provider.fn(provider.arg, &r);
}

static void
try_once(enum verdict v)
{
	hand_out();
	answer((struct attempt_result){ .verdict = v });
}

Test(push_delivery, finishes_what_was_delivered)
{
	hand_out();
	cr_assert_eq(queue.told, NOTHING);
	cr_assert_eq(delivery_in_hand(delivery), 1);
	answer((struct attempt_result){ .verdict = VERDICT_DELIVERED, .status = 200 });
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(delivery_in_hand(delivery), 0);
	cr_assert_gt(queue.kicked, 0, "the lane has room again");
	cr_assert_eq(metrics_sum(S_VERDICTS + VERDICT_DELIVERED), 1);
}

/* ML-123618-3: from a lifetime counted from its acceptance the provider would know the delay. */
Test(push_delivery, tells_the_provider_a_lifetime_that_does_not_tell_when_it_was_accepted)
{
	static const int64_t ages[] = { 0, 1, 9999, 3599999, 7200000, -5000 };

	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		int64_t before = clock_wall_ms();

		job.push.accepted = before - ages[i];
		hand_out();
		cr_assert(provider.expires >= before + 3600000 &&
			  provider.expires <= clock_wall_ms() + 3600000);
		answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	}
}

Test(push_delivery, rejects_a_dead_pushkey_and_counts_what_waited_for_it)
{
	try_once(VERDICT_DEAD);
	cr_assert_eq(queue.told, REJECTED);
	cr_assert_eq(metrics_sum(S_PUSHKEYS_DEAD), 1);
	cr_assert_eq(metrics_sum(S_DROPPED_DEAD), 3);
}

Test(push_delivery, keeps_what_failed_for_later)
{
	static const enum verdict again[] = { VERDICT_BUSY, VERDICT_FAILED, VERDICT_FAULT };

	for (size_t i = 0; i < 3; i++) {
		job.attempts = 0;
		try_once(again[i]);
		cr_assert_eq(queue.told, LATER);
		cr_assert(queue.after >= 500 && queue.after <= 1000);
	}
	cr_assert_eq(metrics_sum(S_RETRIES), 3);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 0);
}

Test(push_delivery, honours_retry_after)
{
	hand_out();
	answer((struct attempt_result){
	    .verdict = VERDICT_BUSY, .status = 429, .retry_after = 120000 });
	cr_assert_eq(queue.told, LATER);
	cr_assert_geq(queue.after, 120000);
}

Test(push_delivery, drops_what_will_never_be_taken_and_counts_it_as_lost)
{
	try_once(VERDICT_DROP);
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_REFUSED), 1);
}

Test(push_delivery, does_not_believe_a_bad_pushkey_before_anything_was_delivered)
{
	try_once(VERDICT_SUSPECT);
	cr_assert_eq(queue.told, LATER);
	cr_assert_geq(queue.after, 30000, "others come first");
	cr_assert_eq(metrics_sum(S_SUSPECT_HELD), 1);
	cr_assert_eq(metrics_sum(S_PUSHKEYS_DEAD), 0);
	try_once(VERDICT_DELIVERED);
	try_once(VERDICT_DELIVERED);
	try_once(VERDICT_SUSPECT);
	cr_assert_eq(queue.told, LATER, "half of them are suspects");
	try_once(VERDICT_DELIVERED);
	try_once(VERDICT_DELIVERED);
	try_once(VERDICT_SUSPECT);
	cr_assert_eq(queue.told, REJECTED);
}

Test(push_delivery, wipes_no_pushers_when_every_pushkey_is_called_wrong)
{
	for (int i = 0; i < 20; i++)
		try_once(VERDICT_DELIVERED);
	for (int i = 0; i < 100; i++)
		try_once(VERDICT_SUSPECT);
	cr_assert_leq(metrics_sum(S_PUSHKEYS_DEAD), 10);
	cr_assert_eq(metrics_sum(S_BREAKER_OPENED), 1);
	cr_assert_eq(cfg.room(cfg.arg, 0), 1, "one after the other");
	hand_out();
	cr_assert_eq(cfg.room(cfg.arg, 0), 0);
	answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	cr_assert_eq(cfg.room(cfg.arg, 0), 2);
}

Test(push_delivery, tries_a_push_whatever_its_age_but_only_once_when_it_is_too_old)
{
	job.push.accepted = clock_wall_ms() - 3600001;
	try_once(VERDICT_DELIVERED);
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 0);
	try_once(VERDICT_FAILED);
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 1);
}

Test(push_delivery, gives_up_what_belongs_to_an_app_that_is_configured_no_more)
{
	job.push.lane = DELAYQ_NO_LANE;
	hand_out();
	cr_assert_eq(provider.sent, 0);
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_APP), 1);
}

Test(push_delivery, keeps_a_push_when_memory_is_short)
{
	provider.no_memory = true;
	hand_out();
	cr_assert_eq(queue.told, LATER);
	cr_assert_eq(delivery_in_hand(delivery), 0);
}

Test(push_delivery, leaves_the_place_to_others_while_a_server_has_its_share)
{
	provider.crowded = true;
	hand_out();
	cr_assert_eq(provider.sent, 0);
	cr_assert_eq(delivery_in_hand(delivery), 0);
	cr_assert_eq(queue.told, LATER);
	job.attempts = 30;
	hand_out();
	cr_assert(queue.after >= 500 && queue.after <= 1000, "it did not fail");
	cr_assert_eq(metrics_sum(S_CROWDED), 2);
	cr_assert_eq(metrics_sum(S_RETRIES), 0);
	job.push.accepted = clock_wall_ms() - 3600001;
	hand_out();
	cr_assert_eq(queue.told, LATER, "the clock was set: it has not waited for so long");
	conf.queue.age_max = 0;
	hand_out();
	cr_assert_eq(queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 1);
}

Test(push_delivery, takes_no_more_while_draining)
{
	cr_assert_eq(cfg.room(cfg.arg, 0), 2);
	delivery_drain(delivery);
	cr_assert_eq(cfg.room(cfg.arg, 0), 0);
}

Test(push_delivery, ends_old_lanes_with_what_is_in_hand_of_them)
{
	hand_out();
	cr_assert(delivery_adopt(delivery, make_lanes()));
	loop_turn(loop);
	cr_assert_eq(provider.closed, 0);
	answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	loop_turn(loop);
	cr_assert_eq(provider.closed, 1);
	cr_assert_eq(queue.told, FINISHED);
}

Test(push_delivery, goes_on_with_the_old_lanes_when_the_queue_cannot_change)
{
	struct lanes *next = make_lanes();

	queue.adopts = false;
	cr_assert(!delivery_adopt(delivery, next));
	lanes_close(next);
	try_once(VERDICT_DELIVERED);
	cr_assert_eq(queue.told, FINISHED);
}

Test(push_delivery, forgets_that_settings_were_wrong_when_they_are_changed)
{
	try_once(VERDICT_FAULT);
	cr_assert_eq(cfg.room(cfg.arg, 0), 0);
	cr_assert(delivery_adopt(delivery, make_lanes()));
	cr_assert_eq(cfg.room(cfg.arg, 0), 2);
}

Test(push_delivery, cancels_what_is_under_way_at_the_end)
{
	hand_out();
	delivery_free(delivery);
	delivery = NULL;
	cr_assert_eq(provider.cancelled, 1);
	cr_assert_eq(queue.told, NOTHING, "it stays in the queue");
}
