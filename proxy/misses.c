/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/misses.h"

#include <stdlib.h>

#include "lib/base/budget.h"
#include "proxy/fedlink.h"
#include "proxy/series.h"

#define PENDING_MAX 512
#define PERIOD_MS 60000
#define LIMITED_MS 1000 /* asked again only then, when there was no room for the question */
#define FAILED_MS 5000  /* ... or no answer */

struct pending { /* a question under way */
	struct list node;
	enum miss kind;
	size_t federation;
	struct str name; /* within the key */
	size_t n;
	char key[];
};

struct misses {
	struct loop *loop;
	const struct proxy_conf *conf;
	struct fedlink *links;
	struct fact_cache *cache;
	struct list pending;
	struct budget (*budgets)[MISS_KINDS]; /* by federation */
};

struct fact_cache *
misses_cache(struct misses *m)
{
	return m->cache;
}

/* --- answers --- */

static void
answer(struct misses *m, struct str key, enum err err, clock_ms ttl)
{
	fact_answer(m->cache, key, fact_negative(err, ttl));
}

static void
end(struct misses *m, struct pending *p, enum err err)
{
	clock_ms ttl = m->conf->federations[p->federation].regsvc.miss_ttl;

	list_remove(&p->node);
	answer(m, str_of(p->key, p->n), err, err == OK || ttl < FAILED_MS ? ttl : FAILED_MS);
	free(p);
}

void
misses_looked(struct misses *m, size_t federation, enum err err)
{
	LIST_FOR(node, &m->pending) {
		struct pending *p = LIST_ENTRY(node, struct pending, node);

		if (p->kind == MISS_DOMAIN && p->federation == federation)
			end(m, p, err);
	}
}

void
misses_asked(struct misses *m, size_t federation, struct str x5u, enum err err)
{
	LIST_FOR(node, &m->pending) {
		struct pending *p = LIST_ENTRY(node, struct pending, node);

		if (p->kind == MISS_X5U && p->federation == federation && str_eq(p->name, x5u)) {
			end(m, p, err);
			return;
		}
	}
}

void
misses_give_up(struct misses *m)
{
	LIST_FOR(node, &m->pending)
		end(m, LIST_ENTRY(node, struct pending, node), ERR_LOOKUP);
}

/* --- questions --- */

static bool
parse_key(const struct misses *m, struct str key, struct pending *p)
{
	struct str federation;

	miss_parse(key, &p->kind, &federation, &p->name);
	for (p->federation = 0; p->federation < m->conf->n_federations; p->federation++)
		if (str_eq(str_z(m->conf->federations[p->federation].name), federation))
			return miss_can_help(p->kind, &m->conf->federations[p->federation]);
	return false;
}

static bool
may_ask(struct misses *m, const struct pending *p)
{
	uint64_t rate = m->conf->federations[p->federation].regsvc.miss_rate;

	/* Who comes while the list is being asked for anyway waits for that. */
	if (p->kind == MISS_DOMAIN && fedlink_list_is_asked(&m->links[p->federation]))
		return true;
	return budget_take(&m->budgets[p->federation][p->kind], rate, PERIOD_MS, loop_now(m->loop));
}

static void
count(enum miss kind, bool asked)
{
	if (kind == MISS_DOMAIN)
		metrics_inc(asked ? S_MISS_DOMAIN_ASKED : S_MISS_DOMAIN_LIMITED);
	else
		metrics_inc(asked ? S_MISS_X5U_ASKED : S_MISS_X5U_LIMITED);
}

static void
look_up(void *arg, struct fact_cache *cache, struct str key, const void *input)
{
	struct misses *m = arg;
	struct pending *p = calloc(1, sizeof(*p) + key.n);
	bool asked;

	(void)cache;
	(void)input;
	if (p == NULL) {
		fact_answer(m->cache, key, NULL);
		return;
	}
	str_put(p->key, key);
	p->n = key.n;
	list_init(&p->node);
	/* The federation may have changed its source with the question under way. */
	asked = parse_key(m, str_of(p->key, p->n), p) && may_ask(m, p) &&
		(p->kind == MISS_DOMAIN ? fedlink_ask_list(&m->links[p->federation])
					: fedlink_ask_x5u(&m->links[p->federation], p->name));
	count(p->kind, asked);
	if (asked) {
		list_append(&m->pending, &p->node);
		return;
	}
	answer(m, key, ERR_RATE, LIMITED_MS);
	free(p);
}

/* --- opening and closing --- */

struct misses *
misses_new(struct loop *loop, const struct proxy_conf *conf, struct fedlink *links)
{
	struct misses *m = calloc(1, sizeof(*m));
	const struct fact_config cfg = { .name = "misses",
		.max_entries = conf->misses_max_entries,
		.max_pending = PENDING_MAX,
		.look_up = look_up,
		.arg = m };

	if (m == NULL)
		return NULL;
	m->loop = loop;
	m->conf = conf;
	m->links = links;
	list_init(&m->pending);
	m->cache = fact_cache_new(loop, &cfg);
	m->budgets = calloc(conf->n_federations, sizeof(*m->budgets));
	if (m->cache != NULL && m->budgets != NULL)
		return m;
	misses_free(m);
	return NULL;
}

void
misses_free(struct misses *m)
{
	if (m == NULL)
		return;
	LIST_FOR(node, &m->pending) {
		struct pending *p = LIST_ENTRY(node, struct pending, node);

		list_remove(node);
		free(p);
	}
	if (m->cache != NULL)
		fact_cache_free(m->cache);
	free(m->budgets);
	free(m);
}
