/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rates.h"

#include <pthread.h>
#include <stdlib.h>

#define MINUTE_US UINT64_C(60000000)

struct place {
	uint64_t name;
	uint64_t full_at; /* microseconds; in the past: as if it were not here */
};

struct set {
	struct place places[RATES_WAYS];
};

struct rates {
	pthread_mutex_t locks[RATES_LOCKS];
	size_t n; /* sets, a power of two */
	struct set sets[];
};

struct rates *
rates_new(size_t places)
{
	struct rates *r;
	size_t n = 1;

	while (n * RATES_WAYS < places)
		n *= 2;
	r = calloc(1, sizeof(*r) + n * sizeof(r->sets[0]));
	if (r == NULL)
		return NULL;
	r->n = n;
	for (size_t i = 0; i < RATES_LOCKS; i++)
		pthread_mutex_init(&r->locks[i], NULL);
	return r;
}

void
rates_free(struct rates *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < RATES_LOCKS; i++)
		pthread_mutex_destroy(&r->locks[i]);
	free(r);
}

/* Its place, or the one it takes. */
static struct place *
place_of(struct set *s, uint64_t name)
{
	struct place *least = &s->places[0];

	for (size_t i = 0; i < RATES_WAYS; i++) {
		struct place *p = &s->places[i];

		if (p->name == name)
			return p;
		if (p->full_at < least->full_at)
			least = p;
	}
	*least = (struct place){ .name = name };
	return least;
}

static clock_ms
take(struct place *p, const struct rate *rate, uint64_t now_us)
{
	uint64_t cost = MINUTE_US / rate->per_minute, room;

	if (cost == 0)
		cost = 1;
	room = cost * (rate->burst - 1);
	if (p->full_at < now_us)
		p->full_at = now_us;
	if (p->full_at - now_us > room)
		return (p->full_at - now_us - room + 999) / 1000;
	p->full_at += cost;
	return 0;
}

clock_ms
rates_take(struct rates *r, uint64_t name, const struct rate *rate, clock_ms now)
{
	size_t i = (size_t)(name & (r->n - 1));
	pthread_mutex_t *lock = &r->locks[i % RATES_LOCKS];
	clock_ms wait;

	pthread_mutex_lock(lock);
	wait = take(place_of(&r->sets[i], name), rate, now * 1000);
	pthread_mutex_unlock(lock);
	return wait;
}
