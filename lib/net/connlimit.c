/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/connlimit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/hash.h"

#define SHARDS 32 /* a power of two */

struct connlimit_party {
	struct hash_node node;
	uint64_t n;
};

struct shard {
	pthread_mutex_t lock;
	struct hash parties;
};

struct connlimit {
	uint64_t ceiling;
	_Atomic uint64_t n;
	atomic_bool told;
	struct shard shards[SHARDS];
};

struct connlimit *
connlimit_new(uint64_t ceiling)
{
	struct connlimit *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->ceiling = ceiling;
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&l->shards[i].lock, NULL);
		hash_init(&l->shards[i].parties);
	}
	return l;
}

void
connlimit_free(struct connlimit *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_destroy(&l->shards[i].lock);
		hash_fini(&l->shards[i].parties);
	}
	free(l);
}

/* --- all connections --- */

static uint64_t
bound(const struct connlimit *l, uint64_t max)
{
	return max < l->ceiling ? max : l->ceiling;
}

void
connlimit_enter(struct connlimit *l)
{
	atomic_fetch_add_explicit(&l->n, 1, memory_order_relaxed);
}

void
connlimit_leave(struct connlimit *l)
{
	atomic_fetch_sub_explicit(&l->n, 1, memory_order_relaxed);
}

bool
connlimit_full(const struct connlimit *l, uint64_t max)
{
	return atomic_load_explicit(&l->n, memory_order_relaxed) >= bound(l, max);
}

bool
connlimit_tell(struct connlimit *l)
{
	return !atomic_exchange_explicit(&l->told, true, memory_order_relaxed);
}

void
connlimit_untell(struct connlimit *l, uint64_t max)
{
	if (atomic_load_explicit(&l->told, memory_order_relaxed) &&
	    atomic_load_explicit(&l->n, memory_order_relaxed) <= bound(l, max) / 8 * 7)
		atomic_store_explicit(&l->told, false, memory_order_relaxed);
}

/* --- those of one address --- */

static struct shard *
shard_of(struct connlimit *l, uint64_t hash)
{
	return &l->shards[hash >> 32 & (SHARDS - 1)]; /* the low bits choose the bucket */
}

/* The party's entry with one connection more; NULL: not to be had. */
static struct connlimit_party *
count_one(struct hash *parties, uint64_t hash, uint64_t max)
{
	struct hash_node *node = hash_first(parties, hash);
	struct connlimit_party *p;

	if (node != NULL) {
		p = HASH_ENTRY(node, struct connlimit_party, node);
		if (p->n >= max)
			return NULL;
		p->n++;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL || !hash_insert(parties, &p->node, hash)) {
		free(p);
		return NULL;
	}
	p->n = 1;
	return p;
}

struct connlimit_party *
connlimit_admit(struct connlimit *l, struct str party, uint64_t max)
{
	uint64_t hash = hash_str(party);
	struct shard *s = shard_of(l, hash);
	struct connlimit_party *p;

	pthread_mutex_lock(&s->lock);
	p = count_one(&s->parties, hash, max);
	pthread_mutex_unlock(&s->lock);
	return p;
}

void
connlimit_dismiss(struct connlimit *l, struct connlimit_party *p)
{
	struct shard *s;

	if (p == NULL)
		return;
	s = shard_of(l, p->node.hash);
	pthread_mutex_lock(&s->lock);
	if (--p->n == 0) {
		hash_remove(&s->parties, &p->node);
		free(p);
	}
	pthread_mutex_unlock(&s->lock);
}
