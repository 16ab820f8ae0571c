/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ops/metrics.h"

#include <pthread.h>
#include <stdlib.h>

struct metrics_shard {
	struct metrics_shard *next;
	_Atomic int64_t v[];
};

static const struct metric_row *rows;
static size_t n_rows;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metrics_shard *shards; /* never freed: a thread that ended still counts */
static _Thread_local struct metrics_shard *mine;

void
metrics_declare(const struct metric_row *r, size_t n)
{
	rows = r;
	n_rows = n;
}

bool
metrics_thread(void)
{
	struct metrics_shard *s = calloc(1, sizeof(*s) + n_rows * sizeof(s->v[0]));

	if (s == NULL)
		return false;
	pthread_mutex_lock(&lock);
	s->next = shards;
	shards = s;
	pthread_mutex_unlock(&lock);
	mine = s;
	return true;
}

void
metrics_add(unsigned metric, int64_t n)
{
	/* Only this thread writes its shard, so a plain load and store is enough. */
	if (mine != NULL)
		atomic_store_explicit(&mine->v[metric],
		    atomic_load_explicit(&mine->v[metric], memory_order_relaxed) + n,
		    memory_order_relaxed);
}

void
metrics_set(unsigned metric, int64_t v)
{
	if (mine != NULL)
		atomic_store_explicit(&mine->v[metric], v, memory_order_relaxed);
}

int64_t
metrics_sum(unsigned metric)
{
	int64_t sum = 0;

	pthread_mutex_lock(&lock);
	for (struct metrics_shard *s = shards; s != NULL; s = s->next)
		sum += atomic_load_explicit(&s->v[metric], memory_order_relaxed);
	pthread_mutex_unlock(&lock);
	return sum;
}

bool
metrics_print(struct buf *out)
{
	for (size_t i = 0; i < n_rows; i++) {
		const struct metric_row *r = &rows[i];

		if ((i == 0 || str_eq(str_z(rows[i - 1].name), str_z(r->name)) == false) &&
		    !buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name,
			r->type == METRIC_COUNTER ? "counter" : "gauge"))
			return false;
		if (!buf_printf(out, r->labels[0] != '\0' ? "%s{%s} %lld\n" : "%s%s %lld\n",
			r->name, r->labels, (long long)metrics_sum((unsigned)i)))
			return false;
	}
	return true;
}
