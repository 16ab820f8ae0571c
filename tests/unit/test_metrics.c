/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "lib/ops/metrics.h"

enum { REQUESTS_OK, REQUESTS_REFUSED, CONNECTIONS };

static const struct metric_row rows[] = {
	[REQUESTS_OK] = { "x_requests_total", "result=\"ok\"", METRIC_COUNTER,
	    "Requests by result." },
	[REQUESTS_REFUSED] = { "x_requests_total", "result=\"refused\"", METRIC_COUNTER,
	    "Requests by result." },
	[CONNECTIONS] = { "x_connections", "", METRIC_GAUGE, "Open connections." },
};

static void *
work(void *arg)
{
	metrics_inc(REQUESTS_OK); /* without a shard: counts nowhere, hurts nobody */
	cr_assert(metrics_thread());
	for (int i = 0; i < 10000; i++)
		metrics_inc(REQUESTS_OK);
	metrics_add(CONNECTIONS, 5);
	metrics_add(CONNECTIONS, -2);
	return arg;
}

static void
count(void)
{
	pthread_t threads[4];

	metrics_declare(rows, sizeof(rows) / sizeof(rows[0]));
	cr_assert(metrics_thread());
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	metrics_add(REQUESTS_REFUSED, 3);
}

Test(metrics, sums_what_all_threads_counted)
{
	count();
	cr_assert_eq(metrics_sum(REQUESTS_OK), 40000); /* also of threads that ended */
	cr_assert_eq(metrics_sum(REQUESTS_REFUSED), 3);
	cr_assert_eq(metrics_sum(CONNECTIONS), 12);
	metrics_set(CONNECTIONS, 1);
	cr_assert_eq(metrics_sum(CONNECTIONS), 13);
}

Test(metrics, prints_the_prometheus_text_format)
{
	struct buf b;

	count();
	buf_init(&b, 65536);
	cr_assert(metrics_print(&b));
	cr_assert(str_eq(buf_str(&b), STR("# HELP x_requests_total Requests by result.\n"
					  "# TYPE x_requests_total counter\n"
					  "x_requests_total{result=\"ok\"} 40000\n"
					  "x_requests_total{result=\"refused\"} 3\n"
					  "# HELP x_connections Open connections.\n"
					  "# TYPE x_connections gauge\n"
					  "x_connections 12\n")),
	    STR_FMT, STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

Test(metrics, says_when_the_text_does_not_fit)
{
	struct buf b;

	count();
	buf_init(&b, 100);
	cr_assert_not(metrics_print(&b));
	buf_fini(&b);
}

enum { WAIT_MAIL = 1, WAIT_POST = WAIT_MAIL + 4, AFTER = WAIT_POST + 4 };

#define WAIT_ROWS(first, labels) \
	[(first)] = { "x_wait_seconds", labels, METRIC_BUCKET, "Waits.", 5 }, \
	[(first) + 1] = { "x_wait_seconds", labels, METRIC_BUCKET, "Waits.", 2500 }, \
	[(first) + 2] = { "x_wait_seconds", labels, METRIC_BUCKET, "Waits.", METRIC_UNBOUNDED }, \
	[(first) + 3] = { "x_wait_seconds", labels, METRIC_SUM, "Waits." }

static const struct metric_row wait_rows[] = {
	[0] = { "x_before", "", METRIC_GAUGE, "Before." },
	WAIT_ROWS(WAIT_MAIL, "by=\"mail\""),
	WAIT_ROWS(WAIT_POST, ""),
	[AFTER] = { "x_after", "", METRIC_GAUGE, "After." },
};

static void *
wait_elsewhere(void *arg)
{
	cr_assert(metrics_thread());
	metrics_observe(WAIT_MAIL, 6);
	return arg;
}

Test(metrics, a_histogram_counts_up_to_each_bound_and_sums)
{
	pthread_t thread;
	struct buf b;

	metrics_declare(wait_rows, sizeof(wait_rows) / sizeof(wait_rows[0]));
	cr_assert(metrics_thread());
	cr_assert_eq(pthread_create(&thread, NULL, wait_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	metrics_observe(WAIT_MAIL, 0);
	metrics_observe(WAIT_MAIL, 5); /* a bound belongs to its bucket */
	metrics_observe(WAIT_MAIL, 2500);
	metrics_observe(WAIT_MAIL, 2501);
	metrics_observe(WAIT_POST, 60000);
	buf_init(&b, 65536);
	cr_assert(metrics_print(&b));
	cr_assert(str_eq(buf_str(&b), STR("# HELP x_before Before.\n"
					  "# TYPE x_before gauge\n"
					  "x_before 0\n"
					  "# HELP x_wait_seconds Waits.\n"
					  "# TYPE x_wait_seconds histogram\n"
					  "x_wait_seconds_bucket{by=\"mail\",le=\"0.005\"} 2\n"
					  "x_wait_seconds_bucket{by=\"mail\",le=\"2.5\"} 4\n"
					  "x_wait_seconds_bucket{by=\"mail\",le=\"+Inf\"} 5\n"
					  "x_wait_seconds_sum{by=\"mail\"} 5.012\n"
					  "x_wait_seconds_count{by=\"mail\"} 5\n"
					  "x_wait_seconds_bucket{le=\"0.005\"} 0\n"
					  "x_wait_seconds_bucket{le=\"2.5\"} 0\n"
					  "x_wait_seconds_bucket{le=\"+Inf\"} 1\n"
					  "x_wait_seconds_sum 60.000\n"
					  "x_wait_seconds_count 1\n"
					  "# HELP x_after After.\n"
					  "# TYPE x_after gauge\n"
					  "x_after 0\n")),
	    STR_FMT, STR_ARG(buf_str(&b)));
	buf_fini(&b);
}
