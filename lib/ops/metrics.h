/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - counters, gauges and histograms, one shard per thread, printed as Prometheus text
 * 0.0.4.
 *
 * A daemon declares its series as rows; the position of a row is its number.  Each thread adds to
 * its own shard without locks; the control thread sums the shards.  Labels are fixed text in the
 * row: no label can come from a peer (ML-123620).
 *
 * A histogram of durations is as many rows as it has buckets, in rising order and the last one
 * unbounded, and after them one for the sum; all of them have its name and labels.  Durations are
 * milliseconds here, and seconds where they are printed.
 */
#ifndef SCHLEUSE_OPS_METRICS_H
#define SCHLEUSE_OPS_METRICS_H

#include <stdatomic.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_BUCKET, METRIC_SUM };

#define METRIC_UNBOUNDED INT64_MAX

struct metric_row {
	const char *name;   /* rows of one name stand together */
	const char *labels; /* `a="b"` or "" */
	enum metric_type type;
	const char *help;
	int64_t bound; /* of a bucket: durations up to it, or METRIC_UNBOUNDED */
};

struct metrics_shard; /* an array of counters of one thread */

void metrics_declare(const struct metric_row *rows, size_t n); /* once, before any thread starts */
bool metrics_thread(void) MUST_CHECK; /* gives the calling thread a shard; false: out of memory */
/* To the calling thread's shard; a thread without one counts nowhere. */
void metrics_add(unsigned metric, int64_t n);
void metrics_set(unsigned metric, int64_t v); /* gauges of the control thread */
/* Counts a duration in the histogram whose first row that is. */
void metrics_observe(unsigned first_bucket, int64_t ms);
int64_t metrics_sum(unsigned metric);
bool metrics_print(struct buf *out) MUST_CHECK;

static inline void
metrics_inc(unsigned metric)
{
	metrics_add(metric, 1);
}

#endif
