/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_sync - FSYNC_INTERVAL: what was written is synced now and then, on another thread than
 * the writing, so that nobody's answer waits for it.
 */
#include <errno.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "pushgw/queue/journal_int.h"

static void
work(void *arg)
{
	struct journal *j = arg;

	j->sync_errno = fdatasync(j->sync_fd) == 0 ? 0 : errno;
}

static void
done(void *arg)
{
	struct journal *j = arg;
	struct journal_segment *s = journal_segment_find(j, j->sync_segment);

	j->syncing = NULL;
	close(j->sync_fd);
	if (j->sync_errno != 0) {
		log_error(
		    "queue: %s: a segment cannot be synced: %s; what it holds is written again",
		    journal_disk_path(j->disk), strerror(j->sync_errno));
		if (s != NULL)
			s->suspect = true;
		if (s == j->current)
			j->current = NULL; /* the next batch begins another */
	}
	journal_sync_wrote(j);
}

/* The writer is idle, so the descriptor is ours to copy. */
static void
start(struct journal *j)
{
	j->sync_fd = journal_disk_current(j->disk, &j->sync_segment);
	if (j->sync_fd < 0)
		return;
	j->syncing = errand_start(j->loop, "journal-sync", work, done, j);
	if (j->syncing == NULL) {
		close(j->sync_fd);
		return;
	}
	j->unsynced = j->sync_due = false;
}

void
journal_sync_wrote(struct journal *j)
{
	if (!j->unsynced || j->syncing != NULL)
		return;
	if (!j->sync_due) {
		if (j->sync.due == 0)
			timer_set(j->loop, &j->sync, j->set.fsync_interval);
		return;
	}
	if (j->writing == NULL)
		start(j);
}

static void
on_sync(void *arg)
{
	struct journal *j = arg;

	j->sync_due = true;
	journal_sync_wrote(j);
}

void
journal_sync_init(struct journal *j)
{
	timer_init(&j->sync, on_sync, j);
}

void
journal_sync_fini(struct journal *j)
{
	timer_clear(&j->sync);
	if (j->syncing != NULL) {
		errand_cancel(j->syncing);
		close(j->sync_fd);
	}
}
