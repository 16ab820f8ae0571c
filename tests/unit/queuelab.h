/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queuelab - a queue in a folder, a loop, and the jobs it hands out in the hands of the test.
 *
 * One at a time.  Its lanes are the apps "a", "b" and "c".
 */
#ifndef SCHLEUSE_TESTS_UNIT_QUEUELAB_H
#define SCHLEUSE_TESTS_UNIT_QUEUELAB_H

#include "pushgw/config.h"
#include "pushgw/queue/delayq_file.h"
#include "tests/unit/lab.h"

#define QUEUELAB_LANES 3

struct queuelab {
	struct loop *loop;
	struct delayq *q;
	char folder[32];
	struct queue_conf conf;
	struct delayq_config cfg;
	size_t room[QUEUELAB_LANES]; /* is what it is, whatever is handed out */
	struct list jobs;            /* in hand, in the order of handing out */
	size_t n_jobs;
	void (*on_due)(struct delayq_job *job); /* NULL: they are kept in `jobs` */
	/* what the last put was told */
	unsigned told, failed;
	enum err err;
	enum delayq_outcome of[8];
	unsigned states;
	enum err state;
};

extern struct queuelab qlab;
/* fdatasync() of whatever file, in the whole program: */
extern _Atomic bool queuelab_sync_fails;
extern _Atomic int queuelab_syncs;       /* so many end, the next one waits; < 0: no limit */
extern _Atomic bool queuelab_sync_waits; /* one does */

void queuelab_setup(void); /* a new folder, and the queue opened; no delay */
void queuelab_teardown(void);
void queuelab_open(void);
void queuelab_close(void);  /* jobs in hand are forgotten */
void queuelab_reopen(void); /* as if the process had begun anew */

struct push queuelab_push(const char *app_id, const char *pushkey, const char *event_id);
void queuelab_begin(const struct push *pushes, size_t n); /* puts, and does not wait */
enum err queuelab_put(const char *app_id, const char *pushkey, const char *event_id);

/* Waits for the next job; its event must be that one. */
struct delayq_job *queuelab_next(const char *event_id);
void queuelab_finish(struct delayq_job *job);
/* Waits for the next job, which must be that, and finishes it. */
void queuelab_deliver(const char *event_id);
void queuelab_nothing(void); /* nothing is due */
struct delayq_gauges queuelab_gauges(void);

/* The path of a file in the folder; valid until the next call. */
const char *queuelab_path(const char *name);
/* The name of the n-th of its segments; "": there are not so many. */
const char *queuelab_segment(size_t n);

#endif
