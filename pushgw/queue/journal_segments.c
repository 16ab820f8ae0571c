/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_segments - which segments there are, what is in them, and when they go.
 */
#include <stdlib.h>

#include "pushgw/queue/journal_int.h"

#define SEGMENT_OF(member_node) LIST_ENTRY(member_node, struct journal_segment, node)
#define CARRY_MAX 1024        /* pushes written again in one batch */
#define DROP_MAX 4            /* files removed at a time: the loop waits for each */
#define CARRY_LOOK (1U << 16) /* slots looked at for them */

/* Room for n things of that size; false: out of memory. */
bool
journal_reserve(void **v, size_t *room, size_t n, size_t size)
{
	size_t larger = *room > 0 ? *room : 64;
	void *own;

	if (n <= *room)
		return true;
	while (larger < n)
		larger *= 2;
	own = realloc(*v, larger * size);
	if (own == NULL)
		return false;
	*v = own;
	*room = larger;
	return true;
}

struct journal_segment *
journal_segment_new(struct journal *j, uint32_t number)
{
	struct journal_segment *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->number = number;
	s->begun = clock_wall_ms();
	list_append(&j->segments, &s->node);
	return s;
}

struct journal_segment *
journal_segment_find(const struct journal *j, uint32_t number)
{
	for (struct list *node = j->segments.prev; node != &j->segments; node = node->prev)
		if (SEGMENT_OF(node)->number == number)
			return SEGMENT_OF(node);
	return NULL;
}

void
journal_segment_free(struct journal *j, struct journal_segment *s)
{
	if (j->current == s)
		j->current = NULL;
	j->bytes -= s->size;
	list_remove(&s->node);
	free(s->slots);
	free(s);
}

bool
journal_segment_reserve(struct journal_segment *s, uint32_t index)
{
	void *slots = s->slots;
	bool ok = journal_reserve(&slots, &s->room, (size_t)index + 1, sizeof(*s->slots));

	s->slots = slots;
	return ok;
}

void
journal_segment_set(struct journal_segment *s, uint32_t index, struct place *place)
{
	while (s->used <= index)
		s->slots[s->used++] = NULL;
	s->slots[index] = place;
	*place = (struct place){ s->number, index };
	s->live++;
}

struct place *
journal_segment_get(const struct journal *j, struct place at)
{
	const struct journal_segment *s = journal_segment_find(j, at.segment);

	return s != NULL && at.index < s->used ? s->slots[at.index] : NULL;
}

void
journal_segment_clear(struct journal *j, struct place at)
{
	struct journal_segment *s = journal_segment_find(j, at.segment);

	if (s == NULL || at.index >= s->used || s->slots[at.index] == NULL)
		return;
	s->slots[at.index] = NULL;
	s->live--;
}

/* --- writing again what keeps a segment --- */

static bool
is_young(const struct journal *j, const struct journal_segment *s)
{
	return clock_wall_ms() - s->newest < (int64_t)j->set.keep;
}

/* Bytes of what waits, as far as they can be told without looking at each push. */
static uint64_t
live_bytes(const struct journal_segment *s)
{
	return s->used > 0 ? s->size * s->live / s->used : 0;
}

static bool
has_too_much_spare(const struct journal *j)
{
	uint64_t live = 0;

	LIST_FOR(node, &j->segments)
		live += live_bytes(SEGMENT_OF(node));
	return j->bytes > 2 * live + JOURNAL_SPARE;
}

/* An old one of which most is done with costs less to write again than it frees. */
static bool
is_worth_it(const struct journal *j, const struct journal_segment *s)
{
	if (has_too_much_spare(j))
		return true;
	return !is_young(j, s) && live_bytes(s) <= s->size / 2;
}

static struct journal_segment *
choose(struct journal *j)
{
	LIST_FOR(node, &j->segments) {
		struct journal_segment *s = SEGMENT_OF(node);

		if (s->suspect && s != j->current && s->live > 0)
			return s;
	}
	LIST_FOR(node, &j->segments) {
		struct journal_segment *s = SEGMENT_OF(node);

		if (s == j->current)
			return NULL;
		if (s->live > 0)
			return is_worth_it(j, s) ? s : NULL;
	}
	return NULL;
}

static bool
move(struct journal *j, struct place from)
{
	struct journal_batch *b = j->collecting;
	struct journal_push p;
	struct place to;
	void *moves = b->moves;
	bool ok = journal_reserve(&moves, &b->room_moves, b->n_moves + 1, sizeof(*b->moves));

	b->moves = moves;
	if (!ok || !journal_next_place(j, &to))
		return false;
	j->owner.say(j->owner.arg, journal_segment_get(j, from), &p);
	if (!journal_put_push(&b->work.bytes, to, &from, &p))
		return false;
	b->moves[b->n_moves++] = (struct journal_move){ from, to };
	return true;
}

void
journal_carry(struct journal *j)
{
	struct journal_segment *s = choose(j);
	size_t looked = 0;

	if (s == NULL || s == j->collecting->segment)
		return;
	if (s->swept >= s->used) /* some were not moved when it was their turn */
		s->swept = 0;
	for (; s->swept < s->used && j->collecting->n_moves < CARRY_MAX && looked < CARRY_LOOK;
	     s->swept++, looked++)
		if (s->slots[s->swept] != NULL &&
		    !move(j, (struct place){ s->number, (uint32_t)s->swept }))
			return;
}

/* --- removing --- */

static bool
may_go(struct journal *j, const struct journal_segment *s)
{
	if (s->live > 0 || (j->writing != NULL && j->writing->segment == s) ||
	    j->collecting->segment == s)
		return false;
	if (!is_young(j, s) || j->err == ERR_STORE_FULL)
		return true;
	return s != j->current && has_too_much_spare(j);
}

/* Whether its rejected pushkeys are in a later segment, too. */
static bool
is_repeated(struct journal *j, struct journal_segment *s)
{
	if (s == j->current)
		return j->owner.rejected(j->owner.arg, s->number, false) == 0;
	if (s->repeated == 0 && j->owner.rejected(j->owner.arg, s->number, true) > 0)
		s->repeated = journal_join(j);
	return s->repeated <= j->written;
}

void
journal_drop(struct journal *j)
{
	struct list *node;

	for (int i = 0; i < DROP_MAX && (node = list_first(&j->segments)) != NULL; i++) {
		struct journal_segment *s = SEGMENT_OF(node);

		if (!may_go(j, s) || !is_repeated(j, s) ||
		    journal_disk_remove(j->disk, s->number) != OK)
			return;
		journal_segment_free(j, s);
	}
}
