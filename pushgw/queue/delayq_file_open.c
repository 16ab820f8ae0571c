/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_file_open - what the journal asks and tells, above all when it is read.
 */
#include <malloc.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "pushgw/queue/delayq_file_int.h"

struct file_recovery {
	clock_ms now;
	int64_t wall;
	struct backlog_push **waiting;
	size_t n, room;
	bool disorder; /* some were written again: they come after later ones */
};

/* clang-format off */
#define PUSH_OF(place_) \
	((struct backlog_push *)(void *)((char *)(place_) - offsetof(struct backlog_push, place)))
/* clang-format on */

static clock_ms
clamp(int64_t ms, clock_ms max)
{
	return ms <= 0 ? 0 : (clock_ms)ms < max ? (clock_ms)ms : max;
}

/* --- while it is read --- */

static void
on_key(void *arg, const unsigned char key[MARK_KEY])
{
	struct delayq_file *q = arg;

	memcpy(q->key, key, MARK_KEY);
}

static struct place *
on_found(void *arg, const struct journal_push *p)
{
	struct delayq_file *q = arg;
	const struct file_recovery *r = q->recovery;
	clock_ms age = clamp(r->wall - p->push.accepted, INT64_MAX);
	clock_ms rest = clamp(p->due - r->wall, q->q.cfg.limits.delay_max);
	struct backlog_push *made = backlog_make(&q->backlog, &p->push, p->seq, r->now + rest);

	if (made == NULL)
		return NULL;
	/* Out of memory: repeated pushes are not known. */
	if (p->push.event_id.n > 0)
		(void)!seen_add(&q->seen, mark_of_push(q->key, &p->push), age);
	if (rejected_count(&q->rejected) > 0)
		(void)rejected_has(
		    &q->rejected, mark_of_pushkey(q->key, &p->push), p->push.pushkey_ts);
	return &made->place;
}

static void
on_over(void *arg, struct place *place)
{
	struct delayq_file *q = arg;

	backlog_unmake(&q->backlog, PUSH_OF(place));
}

static void
on_found_rejected(void *arg, struct mark mark, int64_t since, uint32_t segment)
{
	struct delayq_file *q = arg;
	struct rejected_key *k = rejected_add(&q->rejected, mark, since);

	if (k != NULL)
		k->segment = segment;
}

static bool
on_waits(void *arg, struct place *place)
{
	struct delayq_file *q = arg;
	struct file_recovery *r = q->recovery;
	struct backlog_push *p = PUSH_OF(place);

	if (r->n == r->room) {
		size_t room = r->room > 0 ? 2 * r->room : 1024;
		struct backlog_push **larger =
		    realloc(r->waiting, room * sizeof(struct backlog_push *));

		if (larger == NULL)
			return false;
		r->waiting = larger;
		r->room = room;
	}
	r->disorder = r->disorder || (r->n > 0 && r->waiting[r->n - 1]->seq > p->seq);
	r->waiting[r->n++] = p;
	return true;
}

/* --- later --- */

static void
on_say(void *arg, const struct place *place, struct journal_push *out)
{
	struct delayq_file *q = arg;
	const struct backlog_push *p =
	    (const struct backlog_push *)(const void *)((const char *)place -
							offsetof(struct backlog_push, place));

	backlog_read(&q->backlog, p, &out->push);
	out->seq = p->seq;
	out->due = clock_wall_ms() + (int64_t)(p->when - p->late) - (int64_t)loop_now(q->q.loop);
}

static size_t
on_rejected(void *arg, uint32_t segment, bool again)
{
	struct delayq_file *q = arg;
	size_t n = 0;

	rejected_pass(&q->rejected, clock_wall_s());
	LIST_FOR(node, &q->rejected.ages) {
		struct rejected_key *k = LIST_ENTRY(node, struct rejected_key, age);

		if (k->segment != segment)
			continue;
		if (again)
			k->segment = journal_reject(q->journal, k->mark, k->since);
		n++;
	}
	return n;
}

static void
on_state(void *arg, enum err err)
{
	struct delayq_file *q = arg;

	delayq_report(&q->q, err);
}

/* --- all --- */

static int
by_seq(const void *a, const void *b)
{
	const struct backlog_push *x = *(struct backlog_push *const *)a,
				  *y = *(struct backlog_push *const *)b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

bool
file_recover(struct delayq_file *q, const char *folder)
{
	struct file_recovery r = { .now = clock_now(), .wall = clock_wall_ms() };
	const struct journal_owner owner = { .arg = q,
		.key = on_key,
		.found = on_found,
		.over = on_over,
		.found_rejected = on_found_rejected,
		.waits = on_waits,
		.written = file_on_written,
		.say = on_say,
		.rejected = on_rejected,
		.state = on_state };

	q->recovery = &r;
	q->journal = journal_open(q->q.loop, folder, &q->set, &owner);
	q->recovery = NULL;
	if (q->journal != NULL) {
		if (r.disorder)
			qsort(r.waiting, r.n, sizeof(struct backlog_push *), by_seq);
		for (size_t i = 0; i < r.n; i++)
			backlog_add(&q->backlog, r.waiting[i]);
		q->seq = journal_seq(q->journal);
		task_defer(q->q.loop, &q->run);
	}
	if (r.n > 0)
		log_info("queue: %s: %zu pushes wait since before the start", folder, r.n);
	free(r.waiting);
#ifdef __GLIBC__
	malloc_trim(0); /* reading has left holes, which a large queue would keep for long */
#endif
	return q->journal != NULL;
}
