/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen - open addressing, linear probing, at most four fifths full and seldom much less; a free
 * slot is all zeros.
 */
#include "pushgw/queue/seen.h"

#include <stdlib.h>

#define SIZE_MIN 64

static bool
is_free(const struct mark *m)
{
	return m->v[0] == 0 && m->v[1] == 0;
}

static size_t
home_of(const struct seen_table *t, struct mark m)
{
	return (size_t)((unsigned __int128)m.v[0] * t->size >> 64);
}

static size_t
after(const struct seen_table *t, size_t at)
{
	return at + 1 < t->size ? at + 1 : 0;
}

/* From one slot forward to the other. */
static size_t
distance(const struct seen_table *t, size_t from, size_t to)
{
	return to >= from ? to - from : to + t->size - from;
}

/* Where the mark is, or the free slot where it would be. */
static struct mark *
find(const struct seen_table *t, struct mark m)
{
	size_t at = home_of(t, m);

	while (!is_free(&t->slots[at]) && !mark_eq(t->slots[at], m))
		at = after(t, at);
	return &t->slots[at];
}

static bool
grow(struct seen_table *t)
{
	struct seen_table larger = { .size = t->size + t->size / 4, .count = t->count };

	if (larger.size < SIZE_MIN)
		larger.size = SIZE_MIN;
	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (!is_free(&t->slots[i]))
			*find(&larger, t->slots[i]) = t->slots[i];
	free(t->slots);
	*t = larger;
	return true;
}

/* Takes the mark out and moves those after it that would not be found any more. */
static void
take_out(struct seen_table *t, struct mark *slot)
{
	size_t hole = (size_t)(slot - t->slots), at = after(t, hole);

	for (; !is_free(&t->slots[at]); at = after(t, at))
		if (distance(t, home_of(t, t->slots[at]), at) >= distance(t, hole, at)) {
			t->slots[hole] = t->slots[at];
			hole = at;
		}
	t->slots[hole] = (struct mark){ { 0, 0 } };
	t->count--;
}

static void
turn(struct seen *s)
{
	struct seen_table *last = &s->tables[SEEN_TABLES - 1];

	s->count -= last->count;
	free(last->slots);
	memmove(&s->tables[1], &s->tables[0], (SEEN_TABLES - 1) * sizeof(*s->tables));
	s->tables[0] = (struct seen_table){ 0 };
}

static clock_ms
quarter(const struct seen *s)
{
	return s->span / (SEEN_TABLES - 1) + 1;
}

void
seen_init(struct seen *s, clock_ms span, uint64_t max, clock_ms now)
{
	*s = (struct seen){ .span = span, .begun = now, .max = max };
}

void
seen_fini(struct seen *s)
{
	for (size_t i = 0; i < SEEN_TABLES; i++)
		free(s->tables[i].slots);
	*s = (struct seen){ 0 };
}

void
seen_limit(struct seen *s, clock_ms span, uint64_t max)
{
	s->span = span;
	s->max = max;
}

void
seen_pass(struct seen *s, clock_ms now)
{
	if (now < s->begun) /* as a loop's time may be, which is that of its turn */
		return;
	for (size_t i = 0; i < SEEN_TABLES && now - s->begun >= quarter(s); i++) {
		turn(s);
		s->begun += quarter(s);
	}
	if (now - s->begun >= quarter(s)) /* nothing is left from before */
		s->begun = now;
}

bool
seen_has(const struct seen *s, struct mark m)
{
	for (size_t i = 0; i < SEEN_TABLES; i++)
		if (s->tables[i].count > 0 && !is_free(find(&s->tables[i], m)))
			return true;
	return false;
}

bool
seen_add(struct seen *s, struct mark m, clock_ms age)
{
	clock_ms back = age / quarter(s);
	struct seen_table *t;
	struct mark *slot;

	if (back >= SEEN_TABLES)
		return true; /* forgotten already */
	for (size_t i = 0; s->count >= s->max && i < SEEN_TABLES; i++)
		turn(s);
	t = &s->tables[back];
	if (t->count >= t->size / 5 * 4 && !grow(t) && t->count + 1 >= t->size)
		return false;
	slot = find(t, m);
	if (is_free(slot)) {
		*slot = m;
		t->count++;
		s->count++;
	}
	return true;
}

void
seen_forget(struct seen *s, struct mark m)
{
	for (size_t i = 0; i < SEEN_TABLES; i++) {
		struct mark *slot = s->tables[i].count > 0 ? find(&s->tables[i], m) : NULL;

		if (slot != NULL && !is_free(slot)) {
			take_out(&s->tables[i], slot);
			s->count--;
		}
	}
}
