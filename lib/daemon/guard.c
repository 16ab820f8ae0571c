/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/guard.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/net/address.h"
#include "lib/ops/metrics.h"

#define WAYS 8
#define COUNT_MAX 1000000
#define OPEN_WAIT_MS 1000                        /* until what is being looked at is over */
#define CLIENT_SALT UINT64_C(0x9e3779b97f4a7c15) /* an address is not a client of that name */

/* The failures that still count are (clear_at - now) / forget, rounded up. */
struct place {
	uint64_t name;
	clock_ms clear_at; /* in the past: as if it were not here */
	uint64_t open;     /* attempts being looked at */
};

struct guard {
	struct guard_conf conf;
	const struct guard_series *series;
	size_t n; /* sets, a power of two */
	struct place places[];
};

struct guard *
guard_new(const struct guard_conf *conf, const struct guard_series *series)
{
	size_t n = 1;
	struct guard *g;

	while (n * WAYS < conf->places)
		n *= 2;
	g = calloc(1, sizeof(*g) + n * WAYS * sizeof(g->places[0]));
	if (g == NULL)
		return NULL;
	g->conf = *conf;
	g->series = series;
	g->n = n;
	return g;
}

void
guard_adopt(struct guard *g, const struct guard_conf *conf)
{
	g->conf = *conf;
}

void
guard_free(struct guard *g)
{
	free(g);
}

static uint64_t
name_of_peer(const char *peer)
{
	struct address a;

	return hash_str(address_parse(str_z(peer), 0, &a) ? address_party(&a) : str_z(peer));
}

/* Its place; NULL: it has none. */
static struct place *
find(const struct guard *g, uint64_t name)
{
	const struct place *set = &g->places[(size_t)(name & (g->n - 1)) * WAYS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].name == name)
			return (struct place *)(uintptr_t)&set[i];
	return NULL;
}

/* Whether a is missed less than b. */
static bool
gives_way(const struct place *a, const struct place *b)
{
	if ((a->open > 0) != (b->open > 0))
		return a->open == 0;
	return a->clear_at < b->clear_at;
}

static struct place *
claim(struct guard *g, uint64_t name)
{
	struct place *set = &g->places[(size_t)(name & (g->n - 1)) * WAYS], *least = set;
	struct place *found = find(g, name);

	if (found != NULL)
		return found;
	for (size_t i = 1; i < WAYS; i++)
		if (gives_way(&set[i], least))
			least = &set[i];
	*least = (struct place){ .name = name };
	return least;
}

/* Failures that still count. */
static uint64_t
failures(const struct guard *g, const struct place *p, clock_ms now)
{
	clock_ms forget = g->conf.forget;

	return p->clear_at <= now ? 0 : (p->clear_at - now + forget - 1) / forget;
}

/* The same with one more. */
static uint64_t
count(struct guard *g, uint64_t name, clock_ms now)
{
	struct place *p = claim(g, name);
	clock_ms most = COUNT_MAX * g->conf.forget;

	if (p->clear_at < now)
		p->clear_at = now;
	p->clear_at += g->conf.forget;
	if (p->clear_at - now > most)
		p->clear_at = now + most;
	return failures(g, p, now);
}

/* How long an attempt of that address has to wait. */
static clock_ms
wait_of(const struct guard *g, const struct place *p, clock_ms now)
{
	clock_ms full = (g->conf.failures - 1) * g->conf.forget;

	if (p->clear_at > now + full)
		return p->clear_at - now - full;
	return failures(g, p, now) + p->open >= g->conf.failures ? OPEN_WAIT_MS : 0;
}

clock_ms
guard_enter(struct guard *g, const char *peer, clock_ms now)
{
	struct place *p = claim(g, name_of_peer(peer));
	clock_ms wait = wait_of(g, p, now);

	if (wait == 0)
		p->open++;
	else
		metrics_inc(g->series->slowed);
	return wait;
}

void
guard_leave(struct guard *g, const char *peer)
{
	struct place *p = find(g, name_of_peer(peer));

	if (p != NULL && p->open > 0)
		p->open--;
}

void
guard_abandoned(struct guard *g, const char *peer, clock_ms now)
{
	guard_leave(g, peer);
	(void)count(g, name_of_peer(peer), now);
}

clock_ms
guard_failed(struct guard *g, const char *peer, struct str id, clock_ms now)
{
	uint64_t of_peer, of_client;
	char shown[17];
	clock_ms delay;

	guard_leave(g, peer);
	of_peer = count(g, name_of_peer(peer), now);
	metrics_inc(g->series->failed);
	if (of_peer == g->conf.failures)
		log_warn("auth: an address has failed %llu times and has to wait now",
		    (unsigned long long)of_peer);
	if (id.n == 0)
		return 0;
	of_client = count(g, hash_str(id) ^ CLIENT_SALT, now);
	if (of_client % g->conf.failures == 0)
		log_warn("auth: %llu attempts as client %s have failed, from one or more addresses",
		    (unsigned long long)of_client, log_id(id, shown));
	delay = (of_client - 1) * g->conf.delay;
	return delay < g->conf.delay_max ? delay : g->conf.delay_max;
}
