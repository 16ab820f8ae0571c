/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_batch - one batch is collected while the other is written.
 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "pushgw/queue/journal_int.h"

#define BATCH_MAX ((size_t)1 << 40) /* bytes: the owner bounds what it puts */
#define RETRY_MS 1000
#define TEND_MS 10000

/* --- giving it to the writer --- */

static enum journal_sync
sync_of(const struct journal *j, const struct journal_batch *b)
{
	if (j->set.fsync == FSYNC_NEVER)
		return JOURNAL_UNSYNCED;
	if (b->n_moves > 0) /* the place where they were may be removed next */
		return JOURNAL_SYNCED;
	return j->set.fsync == FSYNC_ALWAYS && b->n_adds > 0 ? JOURNAL_SYNCED : JOURNAL_LATER;
}

/* Those of segments that are no more need not be noted. */
static void
forget_dones(struct journal *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n_dones; i++)
		if (journal_segment_find(j, j->dones[i].segment) != NULL)
			j->dones[n++] = j->dones[i];
	j->n_dones = n;
}

/* What belongs to the batch beside what was put into it.  false: out of memory. */
static bool
complete(struct journal *j, struct journal_batch *b)
{
	forget_dones(j);
	if (j->err == OK)
		journal_carry(j);
	if (j->n_dones == 0 && buf_len(&b->work.bytes) == 0 && j->err == OK)
		return true;
	if (journal_batch_segment(j) == NULL)
		return false;
	b->n_dones = j->n_dones;
	if (!journal_put_done(&b->work.bytes, b->segment->number, j->dones, b->n_dones))
		return false;
	return b->segment->size > 0 || journal_put_head(&b->work.head, b->segment->number, j->key);
}

static void
reset(struct journal_batch *b)
{
	b->work.bytes.off = b->work.bytes.end = 0;
	if (b->work.bytes.cap > JOURNAL_SEGMENT / 4)
		buf_release(&b->work.bytes);
	b->work.head.off = b->work.head.end = 0;
	b->n_adds = b->n_moves = b->n_dones = 0;
	b->segment = NULL;
	b->joined = false;
}

static struct journal_batch *
other(struct journal *j, const struct journal_batch *b)
{
	return b == &j->batches[0] ? &j->batches[1] : &j->batches[0];
}

/* The batch that was collected becomes the one that is written. */
static struct journal_batch *
turn(struct journal *j)
{
	struct journal_batch *b = j->collecting;

	j->collecting = other(j, b);
	j->collecting->number = b->number + 1;
	j->writing = b;
	return b;
}

static void failed(struct journal *j, enum err err);

static void
hand(struct journal *j)
{
	struct journal_batch *b = j->collecting;
	bool joined = b->joined;

	if (j->writing != NULL)
		return;
	if (!complete(j, b)) {
		failed(j, ERR_MEMORY);
		return;
	}
	if (b->segment == NULL) { /* nothing to write, but perhaps somebody to tell */
		if (!joined)
			return;
		turn(j);
		b->work.err = OK;
		journal_batch_written(j, &b->work);
		return;
	}
	turn(j);
	b->work.segment = b->segment->number;
	b->work.sync = sync_of(j, b);
	journal_writer_give(j->writer, &b->work);
}

static void
on_hand(void *arg)
{
	struct journal *j = arg;

	if (j->err == OK) /* else the timer tries */
		hand(j);
}

/* --- it was written --- */

/* The first n are on record. */
static void
drop_dones(struct journal *j, size_t n)
{
	if (n > 0 && n < j->n_dones)
		memmove(j->dones, j->dones + n, (j->n_dones - n) * sizeof(*j->dones));
	j->n_dones -= n;
}

static void
settle(struct journal *j, const struct journal_batch *b)
{
	for (size_t i = 0; i < b->n_adds; i++)
		journal_segment_set(b->segment, b->adds[i].at.index, b->adds[i].place);
	for (size_t i = 0; i < b->n_moves; i++) {
		const struct journal_move *m = &b->moves[i];
		struct place *place = journal_segment_get(j, m->from);

		if (place == NULL) { /* finished meanwhile */
			journal_mark_done(j, m->to);
			continue;
		}
		journal_segment_clear(j, m->from);
		journal_segment_set(b->segment, m->to.index, place);
	}
	if (b->n_moves > 0)
		b->segment->newest = clock_wall_ms();
	drop_dones(j, b->n_dones);
}

static void
set_state(struct journal *j, enum err err)
{
	if (j->err == err)
		return;
	if (err == OK)
		log_info("queue: %s can be written to again", journal_disk_path(j->disk));
	j->err = err;
	j->owner.state(j->owner.arg, err);
}

static void
count_bytes(struct journal *j, const struct journal_batch *b)
{
	uint64_t n = buf_len(&b->work.bytes);

	if (b->segment->size == 0)
		n += buf_len(&b->work.head);
	b->segment->size += n;
	j->bytes += n;
	j->unsynced = j->unsynced || (b->work.sync == JOURNAL_LATER && n > 0);
}

static void
succeeded(struct journal *j, struct journal_batch *b)
{
	uint64_t number = b->number;
	bool carrying = b->n_moves > 0 || j->err != OK;

	if (b->segment != NULL) {
		count_bytes(j, b);
		settle(j, b);
	}
	reset(b);
	j->written = number;
	j->writing = NULL;
	set_state(j, OK);
	j->owner.written(j->owner.arg, number, OK);
	journal_drop(j);
	journal_sync_wrote(j);
	if (carrying || j->n_dones > 0 || j->collecting->joined ||
	    buf_len(&j->collecting->work.bytes) > 0)
		task_defer(j->loop, &j->hand);
}

/* A batch that is not written. */
static void
give_up(struct journal *j, struct journal_batch *b, enum err err)
{
	uint64_t number = b->number;

	if (b == j->collecting)
		b->number++;
	else
		j->writing = NULL;
	reset(b);
	j->owner.written(j->owner.arg, number, err);
}

/* The next batch begins a segment; those of which nothing is on the disk are none. */
static void
drop_empty(struct journal *j)
{
	j->current = NULL;
	while (!list_empty(&j->segments)) {
		struct journal_segment *s =
		    LIST_ENTRY(j->segments.prev, struct journal_segment, node);

		if (s->size > 0)
			return;
		journal_segment_free(j, s);
	}
}

/* The one that was written, and the one before it, which is synced when it ends: of what the kernel
 * could not write it keeps nothing. */
static void
suspect_last(struct journal *j)
{
	struct list *node = j->segments.prev;

	for (int i = 0; i < 2 && node != &j->segments; i++, node = node->prev)
		LIST_ENTRY(node, struct journal_segment, node)->suspect = true;
}

/* And those that are not there any more. */
static void
suspect_missing(struct journal *j)
{
	LIST_FOR(node, &j->segments) {
		struct journal_segment *s = LIST_ENTRY(node, struct journal_segment, node);

		s->suspect = s->suspect || !journal_disk_has(j->disk, s->number);
	}
}

static void
failed(struct journal *j, enum err err)
{
	if (err == ERR_FILE) {
		suspect_last(j);
		suspect_missing(j);
	}
	set_state(j, err);
	if (j->writing != NULL)
		give_up(j, j->writing, err);
	give_up(j, j->collecting, err);
	drop_empty(j);
	journal_drop(j);
	timer_set(j->loop, &j->again, RETRY_MS);
}

void
journal_batch_written(void *arg, struct journal_work *work)
{
	struct journal *j = arg;

	if (work->err == OK)
		succeeded(j, j->writing);
	else
		failed(j, work->err);
}

/* A new segment, with what is done with: if it can be written, so can pushes. */
static void
on_again(void *arg)
{
	hand(arg);
}

static void
on_tend(void *arg)
{
	struct journal *j = arg;

	journal_drop(j);
	task_defer(j->loop, &j->hand); /* there may be something to write again */
	timer_set(j->loop, &j->tend, TEND_MS);
}

/* --- beginning and end --- */

void
journal_batch_init(struct journal *j)
{
	for (size_t i = 0; i < 2; i++) {
		buf_init(&j->batches[i].work.bytes, BATCH_MAX);
		buf_init(&j->batches[i].work.head, BUF_PIECE);
	}
	j->collecting = &j->batches[0];
	j->collecting->number = 1;
	task_init(&j->hand, on_hand, j);
	timer_init(&j->again, on_again, j);
	timer_init(&j->tend, on_tend, j);
}

void
journal_batch_start(struct journal *j)
{
	timer_set(j->loop, &j->tend, TEND_MS);
}

/* What is left, on this thread. */
void
journal_batch_rest(struct journal *j)
{
	struct journal_batch *b = j->collecting;

	if (j->writing != NULL) {
		if (j->writing->work.err != OK)
			return;
		if (j->writing->segment != NULL)
			count_bytes(j, j->writing);
		drop_dones(j, j->writing->n_dones);
	}
	j->set.keep = UINT32_MAX; /* nothing is written again now */
	if (complete(j, b) && b->segment != NULL &&
	    journal_disk_write(j->disk, b->segment->number, buf_str(&b->work.head),
		buf_str(&b->work.bytes),
		j->set.fsync == FSYNC_NEVER ? JOURNAL_UNSYNCED : JOURNAL_SYNCED) != OK)
		log_warn("queue: some pushes will be delivered a second time");
}

static void
batch_fini(struct journal_batch *b)
{
	buf_fini(&b->work.bytes);
	buf_fini(&b->work.head);
	free(b->adds);
	free(b->moves);
}

void
journal_batch_fini(struct journal *j)
{
	task_cancel(&j->hand);
	timer_clear(&j->again);
	timer_clear(&j->tend);
	batch_fini(&j->batches[0]);
	batch_fini(&j->batches[1]);
	free(j->dones);
}
