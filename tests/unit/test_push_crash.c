/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at any moment loses no push that was answered, under any policy of syncing.
 *
 * A child puts and delivers, and says so in a pipe; it is killed in the midst of it, and the next
 * one goes on with the same folder.  In the end each answered push has been delivered, and those of
 * one pushkey in the order in which they were put.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/queuelab.h"

TestSuite(push_crash, .init = queuelab_setup, .fini = queuelab_teardown);

#define PUSHES 100000
#define ROUNDS 64
#define ROUND_PUSHES 16384
#define PUSHKEYS 97
#define PUT 16 /* pushes of a put */

struct word { /* in the pipe */
	uint32_t number;
	bool delivered; /* or answered */
};

static bool answered[ROUNDS * ROUND_PUSHES], delivered[ROUNDS * ROUND_PUSHES];
static uint32_t n_answered, n_again, latest[PUSHKEYS];
static bool has_latest[PUSHKEYS];

/* --- the child --- */

static int pipe_fd;

static void
say(uint32_t number, bool is_delivered)
{
	const struct word w = { number, is_delivered };

	if (write(pipe_fd, &w, sizeof(w)) != sizeof(w))
		_exit(1);
}

static uint32_t
number_of(const struct delayq_job *job)
{
	return (uint32_t)strtoul(job->push.event_id.p + 1, NULL, 10);
}

static void
on_child_due(struct delayq_job *job)
{
	say(number_of(job), true);
	delayq_finish(qlab.q, job, false);
}

struct put {
	uint32_t first;
	char event[PUT][16], pushkey[PUT][16];
	struct push p[PUT];
};

static unsigned waiting; /* puts */

static void
on_answer(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	struct put *put = arg;

	for (size_t i = 0; i < n; i++)
		if (err != OK || of[i] != DELAYQ_QUEUED)
			_exit(1);
	for (size_t i = 0; i < n; i++)
		say(put->first + (uint32_t)i, false);
	free(put);
	waiting--;
}

static void
put_some(uint32_t first)
{
	struct put *put = malloc(sizeof(*put));

	put->first = first;
	for (uint32_t i = 0; i < PUT; i++) {
		snprintf(put->event[i], sizeof(put->event[i]), "$%010u", first + i);
		snprintf(put->pushkey[i], sizeof(put->pushkey[i]), "%u", (first + i) % PUSHKEYS);
		put->p[i] = queuelab_push("a", put->pushkey[i], put->event[i]);
	}
	waiting++;
	if (delayq_put(qlab.q, put->p, PUT, on_answer, put) == NULL)
		_exit(1);
}

static void
be_killed(unsigned round)
{
	const enum fsync_policy policies[] = { FSYNC_ALWAYS, FSYNC_INTERVAL, FSYNC_NEVER };
	uint32_t next = round * ROUND_PUSHES, end = next + ROUND_PUSHES;

	qlab.loop = loop_new(NULL);
	qlab.conf.fsync = policies[round % 3];
	qlab.conf.fsync_interval = 50;
	qlab.on_due = on_child_due;
	queuelab_open();
	for (;;) {
		for (; next < end && waiting < 8; next += PUT)
			put_some(next);
		loop_turn(qlab.loop);
	}
}

/* --- the parent --- */

static void
hear(struct word w)
{
	uint32_t key = w.number % PUSHKEYS;

	if (!w.delivered) {
		n_answered += !answered[w.number];
		answered[w.number] = true;
		return;
	}
	if (delivered[w.number]) {
		n_again++;
		return;
	}
	delivered[w.number] = true;
	cr_assert(!has_latest[key] || latest[key] < w.number, "%u after %u", w.number, latest[key]);
	latest[key] = w.number;
	has_latest[key] = true;
}

static void
play(unsigned round, unsigned words)
{
	int fd[2], status;
	struct word w;
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		pipe_fd = fd[1];
		be_killed(round);
	}
	close(fd[1]);
	for (unsigned i = 0; read(fd[0], &w, sizeof(w)) == sizeof(w); i++) {
		hear(w);
		if (i == words)
			cr_assert_eq(kill(pid, SIGKILL), 0);
	}
	close(fd[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
}

static void
on_parent_due(struct delayq_job *job)
{
	hear((struct word){ number_of(job), true });
	delayq_finish(qlab.q, job, false);
}

Test(push_crash, loses_nothing_that_was_answered)
{
	unsigned round = 0;

	qlab.cfg.limits.delay_max = 30;
	queuelab_close();
	srand(1);
	for (; n_answered < PUSHES && round < ROUNDS; round++)
		play(round, 2000 + (unsigned)rand() % 12000);
	cr_assert_geq(n_answered, PUSHES);
	qlab.on_due = on_parent_due;
	queuelab_open();
	UNTIL(qlab.loop, queuelab_gauges().count == 0);
	for (uint32_t i = 0; i < round * ROUND_PUSHES; i++)
		cr_assert(!answered[i] || delivered[i], "%u was lost", i);
	cr_log_info(
	    "%u answered in %u lives, %u of them delivered again", n_answered, round, n_again);
}
