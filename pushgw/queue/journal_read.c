/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_read - what an earlier process has left: read once, from the oldest segment on.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "pushgw/queue/journal_int.h"

#define SEGMENT_MAX ((size_t)4 << 30)
#define HEAD_MAX 4096 /* bytes looked at for the head of a segment */

struct reading {
	struct journal *j;
	struct journal_segment *segment;
	struct buf bytes;
};

/* --- records --- */

static bool
read_push(struct reading *r, const struct journal_record *rec)
{
	struct journal *j = r->j;
	struct journal_segment *s = r->segment;
	struct journal_push p;
	struct place from, *place;
	uint32_t index;

	if (!journal_get_push(rec, &from, &index, &p) || index > s->size ||
	    !journal_segment_reserve(s, index))
		return true; /* of another version, perhaps: nothing that can be delivered */
	if (index < s->used && s->slots[index] != NULL)
		return true;
	place = rec->what == JOURNAL_MOVED ? journal_segment_get(j, from) : NULL;
	if (place != NULL)
		journal_segment_clear(j, from);
	else
		place = j->owner.found(j->owner.arg, &p);
	if (place == NULL)
		return false;
	journal_segment_set(s, index, place);
	if (s->next <= index)
		s->next = index + 1;
	if (s->newest < p.push.accepted)
		s->newest = p.push.accepted;
	if (j->seq < p.seq)
		j->seq = p.seq;
	return true;
}

static void
read_done(struct reading *r, const struct journal_record *rec)
{
	struct place at, *place;
	size_t pos = 0;

	while (journal_get_done(rec, &pos, &at)) {
		place = journal_segment_get(r->j, at);
		journal_segment_clear(r->j, at);
		if (place != NULL)
			r->j->owner.over(r->j->owner.arg, place);
	}
}

/* false: out of memory. */
static bool
read_record(struct reading *r, const struct journal_record *rec)
{
	struct mark mark;
	int64_t since;

	switch (rec->what) {
	case JOURNAL_ADD:
	case JOURNAL_MOVED:
		return read_push(r, rec);
	case JOURNAL_DONE:
		read_done(r, rec);
		break;
	case JOURNAL_REJECTED:
		if (journal_get_rejected(rec, &mark, &since))
			r->j->owner.found_rejected(
			    r->j->owner.arg, mark, since, r->segment->number);
		break;
	case JOURNAL_HEAD:
		break;
	}
	return true;
}

/* --- segments --- */

static void
tell_damage(struct reading *r, size_t from, size_t to)
{
	log_error(
	    "queue: %s/%08x.pushes is damaged: %zu bytes at %zu cannot be used; reading goes on "
	    "after them",
	    journal_disk_path(r->j->disk), (unsigned)r->segment->number, to - from, from);
}

/* After the last whole record: what was being written when the process or the machine died, and
 * was answered to nobody. */
static void
cut_tail(struct reading *r, size_t end)
{
	struct journal *j = r->j;
	size_t surplus = r->segment->size - end;

	if (surplus == 0)
		return;
	log_warn("queue: %s/%08x.pushes: %zu bytes at %zu are no whole record and are cut off",
	    journal_disk_path(j->disk), (unsigned)r->segment->number, surplus, end);
	(void)journal_disk_cut(j->disk, r->segment->number, end);
	r->segment->size = end;
}

static bool
read_records(struct reading *r)
{
	struct str all = buf_str(&r->bytes);
	struct journal_record rec;
	size_t at = 0, end = 0;
	bool ok = true;

	while (ok && journal_next(all, r->segment->number, &at, &rec)) {
		if (rec.at > end)
			tell_damage(r, end, rec.at);
		end = rec.end;
		ok = read_record(r, &rec);
	}
	if (ok)
		cut_tail(r, end);
	return ok;
}

static bool
read_segment(struct reading *r, uint32_t number)
{
	struct journal *j = r->j;
	bool ok;

	r->segment = journal_segment_new(j, number);
	if (r->segment == NULL)
		return false;
	r->bytes.off = r->bytes.end = 0;
	ok = journal_disk_read(j->disk, number, &r->bytes) == OK;
	r->segment->size = buf_len(&r->bytes);
	ok = ok && read_records(r);
	j->bytes += r->segment->size;
	return ok;
}

/* The key is the same in all of them. */
static bool
read_key(struct journal *j, uint32_t number)
{
	struct journal_record rec;
	struct buf head;
	size_t at = 0;
	bool ok;

	buf_init(&head, HEAD_MAX);
	ok = journal_disk_read(j->disk, number, &head) == OK &&
	     journal_next(buf_str(&head), number, &at, &rec) && journal_get_head(&rec, j->key);
	buf_fini(&head);
	return ok;
}

static void
find_key(struct journal *j, const uint32_t *numbers, size_t n)
{
	bool found = false;

	for (size_t i = 0; i < n && !found; i++)
		found = read_key(j, numbers[i]);
	if (!found)
		randombytes_buf(j->key, sizeof(j->key));
	j->owner.key(j->owner.arg, j->key);
}

/* --- all --- */

static bool
tell_waiting(struct journal *j)
{
	LIST_FOR(node, &j->segments) {
		struct journal_segment *s = LIST_ENTRY(node, struct journal_segment, node);

		for (uint32_t i = 0; i < s->used; i++)
			if (s->slots[i] != NULL && !j->owner.waits(j->owner.arg, s->slots[i]))
				return false;
	}
	return true;
}

void
journal_forget_all(struct journal *j)
{
	LIST_FOR(node, &j->segments) {
		struct journal_segment *s = LIST_ENTRY(node, struct journal_segment, node);

		for (uint32_t i = 0; i < s->used; i++)
			if (s->slots[i] != NULL)
				j->owner.over(j->owner.arg, s->slots[i]);
	}
}

/* An earlier process has answered for what is in it, and had perhaps no time to sync it. */
static void
sync_last(struct journal *j)
{
	if (j->set.fsync != FSYNC_NEVER && journal_disk_sync(j->disk, j->last_number) != OK)
		LIST_ENTRY(j->segments.prev, struct journal_segment, node)->suspect = true;
}

bool
journal_read_all(struct journal *j)
{
	struct reading r = { .j = j };
	uint32_t *numbers;
	size_t n;
	bool ok = journal_disk_list(j->disk, &numbers, &n) == OK;

	buf_init(&r.bytes, SEGMENT_MAX);
	if (ok)
		find_key(j, numbers, n);
	for (size_t i = 0; i < n && ok; i++) {
		ok = read_segment(&r, numbers[i]);
		j->last_number = numbers[i];
	}
	if (ok && n > 0)
		sync_last(j);
	ok = ok && tell_waiting(j);
	if (!ok) {
		log_error("queue: %s cannot be read, or there is not enough memory for it",
		    journal_disk_path(j->disk));
		journal_forget_all(j);
	}
	buf_fini(&r.bytes);
	free(numbers);
	return ok;
}
