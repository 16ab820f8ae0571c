/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/queuelab.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct queuelab qlab;

static const char *const lanes[QUEUELAB_LANES] = { "a", "b", "c" };

_Atomic bool queuelab_sync_fails, queuelab_sync_waits;
_Atomic int queuelab_syncs = -1;

/* Takes the place of the C library's. */
int
fdatasync(int fd)
{
	while (queuelab_syncs == 0) {
		queuelab_sync_waits = true;
		usleep(1000);
	}
	queuelab_sync_waits = false;
	if (queuelab_syncs > 0)
		queuelab_syncs--;
	if (!queuelab_sync_fails)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

/* --- what the queue calls --- */

static unsigned
on_lane(void *arg, struct str app_id)
{
	const struct queuelab *l = arg;

	for (unsigned i = 0; i < l->cfg.n_lanes; i++)
		if (str_eq(app_id, str_z(l->cfg.lanes[i])))
			return i;
	return DELAYQ_NO_LANE;
}

static size_t
on_room(void *arg, unsigned lane)
{
	const struct queuelab *l = arg;

	cr_assert_lt(lane, l->cfg.n_lanes);
	return l->room[lane];
}

static void
on_due(void *arg, struct delayq_job *job)
{
	struct queuelab *l = arg;

	l->n_jobs++;
	if (l->on_due != NULL)
		l->on_due(job);
	else
		list_append(&l->jobs, &job->node);
}

static void
on_state(void *arg, enum err why)
{
	struct queuelab *l = arg;

	l->states++;
	l->state = why;
}

static void
on_put(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	struct queuelab *l = arg;

	l->told++;
	l->failed += err != OK;
	l->err = err;
	cr_assert_leq(n, sizeof(l->of) / sizeof(*l->of));
	if (n > 0)
		memcpy(l->of, of, n * sizeof(*of));
}

/* --- opening --- */

void
queuelab_open(void)
{
	qlab.q = delayq_file_open(qlab.loop, qlab.folder, &qlab.conf, &qlab.cfg);
	cr_assert_not_null(qlab.q);
}

void
queuelab_close(void)
{
	delayq_free(qlab.q);
	qlab.q = NULL;
	qlab.n_jobs = 0;
	list_init(&qlab.jobs);
}

void
queuelab_reopen(void)
{
	queuelab_close();
	queuelab_open();
}

void
queuelab_setup(void)
{
	qlab = (struct queuelab){ .folder = "queue.XXXXXX" };
	cr_assert_not_null(mkdtemp(qlab.folder));
	qlab.loop = loop_new(NULL);
	list_init(&qlab.jobs);
	qlab.conf = (struct queue_conf){ .fsync = FSYNC_NEVER, .fsync_interval = 1000 };
	qlab.cfg = (struct delayq_config){ .lanes = lanes,
		.n_lanes = QUEUELAB_LANES,
		.lane = on_lane,
		.room = on_room,
		.due = on_due,
		.state = on_state,
		.arg = &qlab };
	qlab.cfg.limits = (struct delayq_limits){ .count_max = 1000000,
		.bytes_max = 1000000000,
		.per_pushkey_max = 1000000,
		.duplicates = 3600000,
		.rejected = 3600000,
		.rejected_max = 1000 };
	for (size_t i = 0; i < QUEUELAB_LANES; i++)
		qlab.room[i] = 1000000;
	queuelab_open();
}

void
queuelab_teardown(void)
{
	DIR *dir;
	struct dirent *e;

	queuelab_close();
	dir = opendir(qlab.folder);
	while ((e = readdir(dir)) != NULL)
		unlink(queuelab_path(e->d_name));
	closedir(dir);
	rmdir(qlab.folder);
	loop_free(qlab.loop);
}

/* --- putting --- */

struct push
queuelab_push(const char *app_id, const char *pushkey, const char *event_id)
{
	return (struct push){ .app_id = str_z(app_id),
		.pushkey = str_z(pushkey),
		.pushkey_ts = 1000,
		.event_id = str_z(event_id),
		.room_id = STR("!room:hs.example"),
		.data = STR("{}"),
		.accepted = clock_wall_ms() };
}

void
queuelab_begin(const struct push *pushes, size_t n)
{
	unsigned before = qlab.told;

	cr_assert_not_null(delayq_put(qlab.q, pushes, n, on_put, &qlab));
	cr_assert_eq(qlab.told, before, "nobody is called before it returns");
}

enum err
queuelab_put(const char *app_id, const char *pushkey, const char *event_id)
{
	const struct push p = queuelab_push(app_id, pushkey, event_id);
	unsigned before = qlab.told;

	queuelab_begin(&p, 1);
	UNTIL(qlab.loop, qlab.told > before);
	return qlab.err;
}

/* --- taking --- */

struct delayq_job *
queuelab_next(const char *event_id)
{
	struct delayq_job *job;

	UNTIL(qlab.loop, !list_empty(&qlab.jobs));
	job = LIST_ENTRY(list_first(&qlab.jobs), struct delayq_job, node);
	list_remove(&job->node);
	cr_assert(str_eq(job->push.event_id, str_z(event_id)), "%s: " STR_FMT, event_id,
	    STR_ARG(job->push.event_id));
	return job;
}

void
queuelab_finish(struct delayq_job *job)
{
	cr_assert_eq(delayq_finish(qlab.q, job, false), 0);
	qlab.n_jobs--;
}

void
queuelab_deliver(const char *event_id)
{
	queuelab_finish(queuelab_next(event_id));
}

void
queuelab_nothing(void)
{
	lab_pass(qlab.loop, 2 * LOOP_TICK_MS);
	cr_assert(list_empty(&qlab.jobs));
}

struct delayq_gauges
queuelab_gauges(void)
{
	struct delayq_gauges g;

	delayq_measure(qlab.q, &g);
	return g;
}

/* --- files --- */

const char *
queuelab_path(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", qlab.folder, name);
	return path;
}

static int
is_segment(const struct dirent *e)
{
	return str_has_suffix(str_z(e->d_name), STR(".pushes"));
}

const char *
queuelab_segment(size_t n)
{
	static char name[300];
	struct dirent **all;
	int found = scandir(qlab.folder, &all, is_segment, alphasort);

	name[0] = '\0';
	for (int i = 0; i < found; i++) {
		if ((size_t)i == n)
			snprintf(name, sizeof(name), "%s", all[i]->d_name);
		free(all[i]);
	}
	if (found >= 0)
		free(all);
	return name;
}
