/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - a reference count for state that never changes once built.
 *
 * Embed it as the first member.  The builder holds the first reference; whoever keeps a pointer
 * past the current call takes one.  Counting is atomic, so the last holder, on whatever thread,
 * frees.
 */
#ifndef SCHLEUSE_BASE_SNAPSHOT_H
#define SCHLEUSE_BASE_SNAPSHOT_H

#include <stdatomic.h>
#include <stddef.h>

struct snapshot {
	atomic_uint refs;
	void (*free)(struct snapshot *s);
};

static inline void
snapshot_init(struct snapshot *s, void (*free_fn)(struct snapshot *))
{
	atomic_init(&s->refs, 1);
	s->free = free_fn;
}

static inline void *
snapshot_hold(struct snapshot *s) /* returns s; NULL is allowed */
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static inline void
snapshot_drop(struct snapshot *s) /* NULL is allowed */
{
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->free(s);
}

#endif
