/* SPDX-License-Identifier: Apache-2.0 */
/* Which address a request goes to: load, stickiness, addresses that are down, reloads. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "proxy/series.h"
#include "proxy/upstreams.h"
#include "tests/unit/lab.h"

#define N 3
#define KEYS 600

static struct loop *loop;
static struct upstreams *up;
static struct proxy_conf conf, other;
static struct service_conf service, other_service;
static struct upstream_conf workers[1], other_workers[1];
static struct conf_address addresses[N];
static char *texts[N];
static int listener;

/* A service with a homeserver and one upstream of n addresses, from the array's `at` on. */
static void
configure(struct proxy_conf *c, struct service_conf *s, struct upstream_conf *w, size_t at, size_t n)
{
	static char name[] = "a.example", homeserver[] = "homeserver", sync[] = "sync";

	*w = (struct upstream_conf){ .name = sync, .addresses = { texts + at, n }, .address = addresses + at,
		.down_min = 10000, .down_max = 20000, .first = 1 };
	*s = (struct service_conf){ .server_name = name, .upstreams = w, .n_upstreams = 1,
		.homeserver = { .name = homeserver, .addresses = { texts, 1 }, .address = addresses } };
	*c = (struct proxy_conf){ .services = s, .n_services = 1, .n_addresses = n + 1,
		.upstream_connections_max = 8, .upstream_idle_max = 8, .upstream_queue_max = 8,
		.upstream_connect_timeout = 20000, .upstream_idle_timeout = 60000, .upstream_queue_timeout = 20000,
		.relay_buffer = 65536, .head_max = 16384 };
}

static void
setup(void)
{
	static char text[N][32], host[] = "127.0.0.1";
	unsigned short port;

	log_threshold = LOG_ERROR;
	loop = loop_new(NULL);
	listener = lab_listen(&port);
	for (size_t i = 0; i < N; i++) {
		snprintf(text[i], sizeof(text[i]), "address%zu", i); /* all lead to the same listener */
		texts[i] = text[i];
		addresses[i] = (struct conf_address){ .text = text[i], .host = host, .port = port };
	}
	configure(&conf, &service, workers, 0, N);
	up = upstreams_new(loop, &conf, NULL);
	cr_assert_not_null(up);
	upstreams_adopt(up, &conf);
}

static void
teardown(void)
{
	upstreams_drop(up);
	lab_turn(loop);
	close(listener);
	loop_free(loop);
}

TestSuite(upstreams, .init = setup, .fini = teardown);

static size_t
choose(uint64_t key, uint64_t tried)
{
	return upstreams_choose(up, workers, key, tried);
}

static struct upstream *taken;

static void
on_taken(void *arg, struct upstream *u, enum err why)
{
	cr_assert_eq(why, OK);
	*(bool *)arg = true;
	taken = u;
}

/* A connection in use. */
static struct upstream *
occupy(struct target *t)
{
	struct pool_wait wait;
	bool done = false;

	pool_wait_init(&wait);
	pool_acquire(t->pool, false, &wait, on_taken, &done);
	UNTIL(loop, done);
	return taken;
}

Test(upstreams, the_least_busy_address_is_next)
{
	struct upstream *a = occupy(up->of[1]), *b = occupy(up->of[3]);

	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(choose(0, 0), 1);
	pool_release(a, true);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_neq(choose(0, 0), 2);
	pool_release(b, true);
}

Test(upstreams, equally_busy_ones_take_turns)
{
	unsigned hits[N] = { 0 };

	for (unsigned i = 0; i < 3 * N; i++)
		hits[choose(0, 0)]++;
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(hits[i], 3);
}

Test(upstreams, a_key_stays_where_it_is_while_its_address_is_up)
{
	size_t before[KEYS];
	unsigned hits[N] = { 0 };

	for (uint64_t k = 0; k < KEYS; k++)
		hits[before[k] = choose(k + 1, 0)]++;
	for (unsigned i = 0; i < N; i++)
		cr_assert_gt(hits[i], KEYS / N / 2, "unfair: %u", hits[i]);
	upstreams_set_health(up, 1 + 1, false);
	for (uint64_t k = 0; k < KEYS; k++) {
		size_t now = choose(k + 1, 0);

		cr_assert_neq(now, 1);
		cr_assert(before[k] == 1 || now == before[k], "a key moved that need not");
	}
	upstreams_set_health(up, 1 + 1, true);
	for (uint64_t k = 0; k < KEYS; k++)
		cr_assert_eq(choose(k + 1, 0), before[k]);
}

Test(upstreams, addresses_that_are_down_are_avoided)
{
	upstreams_set_health(up, 1, false);
	upstreams_failed(up, workers, 1);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(choose(i, 0), 2);
	cr_assert_eq(choose(0, 1 << 2), SIZE_MAX, "the second attempt is for one that is up");
	upstreams_worked(up->of[1 + 1]);
	cr_assert_eq(choose(0, 1 << 2), 1);
}

Test(upstreams, one_is_tried_when_all_are_down)
{
	for (size_t i = 0; i < N; i++)
		upstreams_set_health(up, 1 + i, false);
	cr_assert_lt(choose(0, 0), N);
	cr_assert_lt(choose(7, 0), N);
	cr_assert_eq(choose(0, 1), SIZE_MAX);
}

Test(upstreams, what_failed_comes_back_after_a_while)
{
	workers[0].down_min = workers[0].down_max = 100;
	upstreams_failed(up, workers, 0);
	upstreams_failed(up, workers, 1);
	cr_assert_eq(choose(0, 0), 2);
	UNTIL(loop, choose(0, 1 << 2) != SIZE_MAX);
}

Test(upstreams, is_avoided_longer_with_each_failure)
{
	clock_ms now = loop_now(loop);
	const clock_ms want[] = { 10000, 20000, 20000 };

	for (unsigned i = 0; i < 3; i++) {
		up->of[1]->down_until = now; /* its time is over */
		upstreams_failed(up, workers, 0);
		cr_assert_eq(up->of[1]->down_until - now, want[i]);
	}
	upstreams_worked(up->of[1]);
	upstreams_failed(up, workers, 0);
	cr_assert_eq(up->of[1]->down_until - now, want[0]);
}

/* A short outage must not cost the longest time because many requests met it. */
Test(upstreams, requests_that_fail_together_count_once)
{
	clock_ms now = loop_now(loop);

	for (unsigned i = 0; i < 100; i++)
		upstreams_failed(up, workers, 0);
	cr_assert_eq(up->of[1]->down_until - now, workers[0].down_min);
	cr_assert_eq(up->of[1]->failures, 1);
}

Test(upstreams, a_single_address_is_never_avoided)
{
	upstreams_failed(up, &service.homeserver, 0);
	cr_assert_eq(upstreams_choose(up, &service.homeserver, 0, 0), 0);
	cr_assert_eq(upstreams_choose(up, &service.homeserver, 0, 1), SIZE_MAX);
}

/* An address that stays keeps its connections, under the new limits. */
Test(upstreams, connections_stay_across_a_reload)
{
	struct upstream *a = occupy(up->of[2]), *b = occupy(up->of[2]);
	struct upstreams *new;

	configure(&other, &other_service, other_workers, 1, 1);
	other.upstream_idle_max = 1;
	new = upstreams_new(loop, &other, up);
	cr_assert_not_null(new);
	upstreams_adopt(new, &other);
	cr_assert_eq(new->of[1], up->of[2]);
	cr_assert_eq(new->of[0], up->of[0]);
	upstreams_drop(up);
	up = new;
	pool_release(a, true);
	pool_release(b, true);
	cr_assert_eq(pool_connections(up->of[1]->pool), 1, "the new idle_max");
}

Test(upstreams, forgets_what_checks_said_when_the_configuration_changes)
{
	struct upstreams *new;

	upstreams_set_health(up, 2, false);
	configure(&other, &other_service, other_workers, 0, N);
	new = upstreams_new(loop, &other, up);
	cr_assert(up->of[2]->unhealthy, "not in force yet");
	upstreams_adopt(new, &other);
	cr_assert_not(new->of[2]->unhealthy);
	upstreams_drop(new);
}
