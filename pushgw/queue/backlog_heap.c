/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/backlog_heap.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_MIN 64

bool
backlog_heap_reserve(struct backlog_lane *l, uint64_t n)
{
	size_t room = l->room > 0 ? l->room : ROOM_MIN;
	struct backlog_push **heap;

	if (n <= l->room)
		return true;
	while (room < n)
		room *= 2;
	heap = realloc(l->heap, room * sizeof(struct backlog_push *));
	if (heap == NULL)
		return false;
	l->heap = heap;
	l->room = room;
	return true;
}

static bool
is_before(const struct backlog_push *a, const struct backlog_push *b)
{
	return a->when != b->when ? a->when < b->when : a->seq < b->seq;
}

void
backlog_heap_push(struct backlog_lane *l, struct backlog_push *p)
{
	size_t at = l->n++;

	assert(l->n <= l->room);
	while (at > 0 && is_before(p, l->heap[(at - 1) / 2])) {
		l->heap[at] = l->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	l->heap[at] = p;
}

struct backlog_push *
backlog_heap_pop(struct backlog_lane *l)
{
	struct backlog_push *first = l->heap[0], *p = l->heap[--l->n];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < l->n) {
		if (child + 1 < l->n && is_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!is_before(l->heap[child], p))
			break;
		l->heap[at] = l->heap[child];
		at = child;
	}
	l->heap[at] = p;
	return first;
}
