/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/guard.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/net/address.h"
#include "regsvc/series.h"

#define WAYS 8
#define COUNT_MAX 1000000
#define CLIENT_SALT UINT64_C(0x9e3779b97f4a7c15) /* an address is not a client of that name */

/* The failures that still count are (clear_at - now) / forget, rounded up. */
struct place {
	uint64_t name;
	clock_ms clear_at; /* in the past: as if it were not here */
};

struct guard {
	struct guard_conf conf;
	size_t n; /* sets, a power of two */
	struct place places[];
};

struct guard *
guard_new(const struct guard_conf *conf)
{
	size_t n = 1;
	struct guard *g;

	while (n * WAYS < conf->places)
		n *= 2;
	g = calloc(1, sizeof(*g) + n * WAYS * sizeof(g->places[0]));
	if (g == NULL)
		return NULL;
	g->conf = *conf;
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

static struct place *
claim(struct guard *g, uint64_t name)
{
	struct place *set = &g->places[(size_t)(name & (g->n - 1)) * WAYS], *least = set;
	struct place *found = find(g, name);

	if (found != NULL)
		return found;
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].clear_at < least->clear_at)
			least = &set[i];
	*least = (struct place){ .name = name };
	return least;
}

/* Failures that still count, with this one. */
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
	return (p->clear_at - now + g->conf.forget - 1) / g->conf.forget;
}

clock_ms
guard_wait(const struct guard *g, const char *peer, clock_ms now)
{
	const struct place *p = find(g, name_of_peer(peer));
	clock_ms full = (g->conf.failures - 1) * g->conf.forget;

	if (p == NULL || p->clear_at <= now + full)
		return 0;
	metrics_inc(S_AUTH_SLOWED);
	return p->clear_at - now - full;
}

clock_ms
guard_failed(struct guard *g, const char *peer, struct str id, clock_ms now)
{
	uint64_t of_peer = count(g, name_of_peer(peer), now), of_client;
	char shown[17];
	clock_ms delay;

	metrics_inc(S_AUTH_FAILED);
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
