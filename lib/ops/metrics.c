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

void
metrics_observe(unsigned first_bucket, int64_t ms)
{
	unsigned row = first_bucket;

	while (rows[row].bound < ms)
		row++;
	metrics_inc(row);
	while (rows[row].type == METRIC_BUCKET)
		row++;
	metrics_add(row, ms);
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

static bool
print_value(struct buf *out, const struct metric_row *r, const char *suffix, int64_t v)
{
	return buf_printf(out, r->labels[0] != '\0' ? "%s%s{%s} %lld\n" : "%s%s%s %lld\n", r->name,
	    suffix, r->labels, (long long)v);
}

/* `count`: of this bucket and those below it. */
static bool
print_bucket(struct buf *out, const struct metric_row *r, int64_t count)
{
	const char *comma = r->labels[0] != '\0' ? "," : "";

	if (r->bound == METRIC_UNBOUNDED)
		return buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", r->name, r->labels,
		    comma, (long long)count);
	return buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", r->name, r->labels, comma,
	    (double)r->bound / 1000, (long long)count);
}

static bool
print_sum(struct buf *out, const struct metric_row *r, int64_t ms, int64_t count)
{
	return buf_printf(out,
		   r->labels[0] != '\0' ? "%s_sum{%s} %lld.%03lld\n" : "%s_sum%s %lld.%03lld\n",
		   r->name, r->labels, (long long)(ms / 1000), (long long)(ms % 1000)) &&
	       print_value(out, r, "_count", count);
}

static bool
print_head(struct buf *out, const struct metric_row *r)
{
	static const char *const types[] = { [METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_BUCKET] = "histogram",
		[METRIC_SUM] = "histogram" };

	return buf_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name, types[r->type]);
}

bool
metrics_print(struct buf *out)
{
	int64_t below = 0; /* of the histogram's buckets so far */
	bool ok = true;

	for (size_t i = 0; ok && i < n_rows; i++) {
		const struct metric_row *r = &rows[i];
		int64_t v = metrics_sum((unsigned)i);

		if (i == 0 || !str_eq(str_z(rows[i - 1].name), str_z(r->name)))
			ok = print_head(out, r);
		if (ok && r->type == METRIC_BUCKET) {
			below += v;
			ok = print_bucket(out, r, below);
		} else if (ok && r->type == METRIC_SUM) {
			ok = print_sum(out, r, v, below);
			below = 0;
		} else if (ok) {
			ok = print_value(out, r, "", v);
		}
	}
	return ok;
}
