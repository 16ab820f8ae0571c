/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_file_int - what the files of delayq_file share; nobody else includes it.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_FILE_INT_H
#define SCHLEUSE_PUSHGW_DELAYQ_FILE_INT_H

#include "pushgw/queue/backlog.h"
#include "pushgw/queue/delayq_int.h"
#include "pushgw/queue/journal.h"
#include "pushgw/queue/rejected.h"
#include "pushgw/queue/seen.h"

struct file_call {
	struct delayq_call call; /* first */
	struct list node;
	delayq_put_fn *fn; /* NULL: cancelled */
	void *arg;
	uint64_t batch;
	enum err err;
	size_t n, n_made;
	struct backlog_push **made; /* not yet added */
	enum delayq_outcome *of;
};

struct file_job {
	struct delayq_job job; /* first */
	struct list all;
	struct backlog_push *p;
};

struct file_recovery;

struct delayq_file {
	struct delayq q; /* first */
	struct backlog backlog;
	struct seen seen;
	struct rejected rejected;
	struct journal *journal;
	struct journal_settings set;
	unsigned char key[MARK_KEY];
	uint64_t seq;
	struct list waiting, told; /* calls: to be written; to be answered */
	struct list jobs;
	uint64_t in_hand;
	struct task tell, run;
	struct timer due;
	struct file_recovery *recovery; /* while the journal is read */
	struct grave grave;
	bool closed;
};

static inline struct delayq_file *
file_of(struct delayq *q)
{
	return (struct delayq_file *)(void *)q;
}

/* --- delayq_file --- */

void file_on_written(void *arg, uint64_t batch, enum err err);

/* --- delayq_file_jobs: handing out --- */

void file_jobs_init(struct delayq_file *q);
void file_jobs_free(struct delayq_file *q);
size_t file_finish(struct delayq *q, struct delayq_job *job, bool rejected);
void file_later(struct delayq *q, struct delayq_job *job, clock_ms after);
void file_kick(struct delayq *q, unsigned lane);

/* --- delayq_file_open: what the journal asks and tells --- */

bool file_recover(struct delayq_file *q, const char *folder);

#endif
