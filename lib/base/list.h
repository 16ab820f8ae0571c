/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list - circular doubly linked lists of embedded nodes.
 *
 * A node is a list of its own when it is in no list, so list_remove() may be called any time.
 */
#ifndef SCHLEUSE_BASE_LIST_H
#define SCHLEUSE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

/* clang-format off */
#define LIST_ENTRY(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))
/* clang-format on */

/* Iterates; the current node may be removed (not its successor). */
#define LIST_FOR(node, head) \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
	     node = node##_next, node##_next = node->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void
list_prepend(struct list *head, struct list *node)
{
	list_append(head->next, node);
}

static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline struct list *
list_first(struct list *head) /* NULL when empty */
{
	return list_empty(head) ? NULL : head->next;
}

#endif
