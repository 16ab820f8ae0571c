/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - what is put into a batch; opening and closing.
 *
 * What is done with is noted in `dones` and goes into whatever batch is given to the writer next;
 * it leaves `dones` when it was written.
 */
#include "pushgw/queue/journal.h"

#include <stdlib.h>

#include "pushgw/queue/journal_int.h"

#define AGE_MIN 60000 /* ms for which a segment is written to, unless it is full before */

/* --- what is being collected --- */

uint64_t
journal_join(struct journal *j)
{
	j->collecting->joined = true;
	task_defer(j->loop, &j->hand);
	return j->collecting->number;
}

static bool
is_full(const struct journal *j, const struct journal_segment *s)
{
	clock_ms age = j->set.keep / 4 > AGE_MIN ? j->set.keep / 4 : AGE_MIN;

	return s->size >= JOURNAL_SEGMENT ||
	       (s->size > 0 && clock_wall_ms() - s->begun > (int64_t)age);
}

struct journal_segment *
journal_batch_segment(struct journal *j)
{
	struct journal_batch *b = j->collecting;

	if (b->segment != NULL)
		return b->segment;
	if (j->current == NULL || is_full(j, j->current)) {
		j->current = journal_segment_new(j, j->last_number + 1);
		if (j->current == NULL)
			return NULL;
		j->last_number++;
	}
	b->segment = j->current;
	return b->segment;
}

bool
journal_next_place(struct journal *j, struct place *at)
{
	struct journal_segment *s = journal_batch_segment(j);

	if (s == NULL || !journal_segment_reserve(s, s->next))
		return false;
	*at = (struct place){ s->number, s->next++ };
	return true;
}

bool
journal_add(struct journal *j, struct place *place, const struct journal_push *p)
{
	struct journal_batch *b = j->collecting;
	void *adds = b->adds;
	bool ok = journal_reserve(&adds, &b->room_adds, b->n_adds + 1, sizeof(*b->adds));
	size_t begin = buf_len(&b->work.bytes);
	struct place at;

	b->adds = adds;
	if (!ok || !journal_next_place(j, &at) || !journal_put_push(&b->work.bytes, at, NULL, p))
		return false;
	*place = (struct place){ 0, 0 };
	b->adds[b->n_adds++] = (struct journal_add_ref){ place, at, begin };
	b->segment->newest = clock_wall_ms();
	journal_join(j);
	return true;
}

void
journal_mark_done(struct journal *j, struct place at)
{
	void *dones = j->dones;
	bool ok = journal_reserve(&dones, &j->room_dones, j->n_dones + 1, sizeof(*j->dones));

	j->dones = dones;
	if (ok) /* else it may be delivered again after a restart */
		j->dones[j->n_dones++] = at;
	task_defer(j->loop, &j->hand);
}

void
journal_done(struct journal *j, struct place *place)
{
	journal_segment_clear(j, *place);
	journal_mark_done(j, *place);
	*place = (struct place){ 0, 0 };
}

uint32_t
journal_reject(struct journal *j, struct mark mark, int64_t since)
{
	struct journal_segment *s = journal_batch_segment(j);

	if (s == NULL || !journal_put_rejected(&j->collecting->work.bytes, s->number, mark, since))
		return 0;
	task_defer(j->loop, &j->hand);
	return s->number;
}

/* --- public --- */

enum err
journal_state(const struct journal *j)
{
	return j->err;
}

uint64_t
journal_bytes(const struct journal *j)
{
	return j->bytes;
}

uint64_t
journal_seq(const struct journal *j)
{
	return j->seq;
}

void
journal_set(struct journal *j, const struct journal_settings *set)
{
	j->set = *set;
}

void
journal_take_back(struct journal *j, size_t n)
{
	struct journal_batch *b = j->collecting;

	if (n == 0)
		return;
	b->n_adds -= n;
	b->work.bytes.end = b->work.bytes.off + b->adds[b->n_adds].begin;
}

static struct journal *
journal_new(
    struct loop *loop, const struct journal_settings *set, const struct journal_owner *owner)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->loop = loop;
	j->set = *set;
	j->owner = *owner;
	list_init(&j->segments);
	journal_batch_init(j);
	journal_sync_init(j);
	return j;
}

struct journal *
journal_open(struct loop *loop, const char *folder, const struct journal_settings *set,
    const struct journal_owner *owner)
{
	struct journal *j = journal_new(loop, set, owner);

	if (j == NULL)
		return NULL;
	j->disk = journal_disk_open(folder);
	if (j->disk == NULL || !journal_read_all(j)) {
		journal_close(j);
		return NULL;
	}
	j->writer = journal_writer_new(loop, j->disk, journal_batch_written, j);
	if (j->writer == NULL) {
		journal_forget_all(j);
		journal_close(j);
		return NULL;
	}
	journal_batch_start(j);
	return j;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	journal_sync_fini(j);
	if (j->writer != NULL) {
		journal_writer_free(j->writer);
		if (j->err == OK)
			journal_batch_rest(j);
	}
	journal_batch_fini(j);
	journal_disk_close(j->disk);
	while (!list_empty(&j->segments))
		journal_segment_free(j, LIST_ENTRY(j->segments.next, struct journal_segment, node));
	free(j);
}
