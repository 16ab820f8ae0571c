/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushqueue - what the push gateway's own queue needs: memory for each push, and time to read the
 * journal after a crash.
 *
 *   pushqueue FOLDER PUSHES [PUSHKEYS]
 *
 * Puts so many pushes, each for another pushkey unless PUSHKEYS is given, in a process that ends
 * without closing anything; then opens the folder in another one and counts what is there.  The
 * pushes are as long as those of FCM: pushkey 163 bytes, event_id 44, room_id 40, app_id 25, data
 * 100.  One line of key=value for each of the two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pushgw/config.h"
#include "pushgw/queue/delayq_file.h"

#define PUT 100      /* pushes of a put */
#define AT_A_TIME 16 /* puts that wait for their answer */

static struct loop *loop;
static unsigned long pushes, pushkeys;
static unsigned long begun, told;

static unsigned
on_lane(void *arg, struct str app_id)
{
	(void)arg;
	(void)app_id;
	return 0;
}

static size_t
on_room(void *arg, unsigned lane)
{
	(void)arg;
	(void)lane;
	return 0;
}

static void
on_due(void *arg, struct delayq_job *job)
{
	(void)arg;
	(void)job;
}

static struct delayq *
open_queue(const char *folder)
{
	static const char *const lanes[] = { "app" };
	const struct queue_conf conf = { .fsync = FSYNC_INTERVAL, .fsync_interval = 1000 };
	const struct delayq_config cfg = { .lanes = lanes,
		.n_lanes = 1,
		.lane = on_lane,
		.room = on_room,
		.due = on_due,
		.limits = { .delay_max = 10000,
		    .count_max = 100000000,
		    .bytes_max = 1ULL << 40,
		    .per_pushkey_max = 100000000,
		    .duplicates = 3600000,
		    .rejected = 3600000,
		    .rejected_max = 1000 } };
	struct delayq *q = delayq_file_open(loop, folder, &conf, &cfg);

	if (q == NULL)
		exit(1);
	return q;
}

static unsigned long
rss_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
		exit(1);
	fclose(f);
	return resident * (unsigned long)sysconf(_SC_PAGESIZE);
}

static void
on_put(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		if (of[i] != DELAYQ_QUEUED)
			err = ERR_COUNT;
	if (err != OK) {
		fprintf(stderr, "a push was not queued\n");
		exit(1);
	}
	told += n;
}

static void
put_some(struct delayq *q)
{
	static char pushkey[PUT][164], event[PUT][45], data[101];
	struct push p[PUT];
	size_t n = 0;

	memset(data, 'd', sizeof(data) - 1);
	for (; n < PUT && begun < pushes; n++, begun++) {
		snprintf(pushkey[n], sizeof(pushkey[n]), "%0163lu", begun % pushkeys);
		snprintf(event[n], sizeof(event[n]), "$%043lu", begun);
		p[n] = (struct push){ .app_id = STR("com.example.messenger.app"),
			.pushkey = str_z(pushkey[n]),
			.pushkey_ts = clock_wall_s(),
			.event_id = str_z(event[n]),
			.room_id = STR("!abcdefghijklmnopqr:homeserver.example.o"),
			.data = str_z(data),
			.accepted = clock_wall_ms() };
	}
	if (delayq_put(q, p, n, on_put, NULL) == NULL)
		exit(1);
}

static void
fill(const char *folder)
{
	struct delayq *q = open_queue(folder);
	unsigned long before = rss_bytes();
	clock_ms begin = clock_now();
	struct delayq_gauges g;

	while (told < pushes) {
		while (begun < pushes && begun - told < PUT * AT_A_TIME)
			put_some(q);
		loop_turn(loop);
	}
	delayq_measure(q, &g);
	printf("filled pushes=%lu ms=%lu rss_bytes_each=%.1f counted_bytes_each=%.1f "
	       "disk_bytes_each=%.1f\n",
	    pushes, (unsigned long)(clock_now() - begin),
	    (double)(rss_bytes() - before) / (double)pushes, (double)g.bytes / (double)pushes,
	    (double)g.disk / (double)pushes);
	fflush(stdout);
	_exit(0);
}

static void
recover(const char *folder)
{
	unsigned long before = rss_bytes();
	clock_ms begin = clock_now();
	struct delayq *q = open_queue(folder);
	struct delayq_gauges g;

	delayq_measure(q, &g);
	printf("recovered pushes=%lu ms=%lu rss_bytes_each=%.1f\n", (unsigned long)g.count,
	    (unsigned long)(clock_now() - begin), (double)(rss_bytes() - before) / (double)pushes);
	fflush(stdout);
	_exit(g.count == pushes ? 0 : 1);
}

static int
in_a_process(void (*what)(const char *folder), const char *folder)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		loop = loop_new(NULL);
		what(folder);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

int
main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: pushqueue FOLDER PUSHES [PUSHKEYS]\n");
		return 2;
	}
	pushes = strtoul(argv[2], NULL, 10);
	pushkeys = argc > 3 ? strtoul(argv[3], NULL, 10) : pushes;
	if (pushes == 0 || pushkeys == 0)
		return 2;
	return in_a_process(fill, argv[1]) != 0 || in_a_process(recover, argv[1]) != 0;
}
