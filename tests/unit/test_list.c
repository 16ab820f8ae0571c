/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/list.h"

struct item {
	char name;
	struct list node;
};

static const char *
names(struct list *head)
{
	static char text[16];
	size_t n = 0;

	LIST_FOR(node, head)
		text[n++] = LIST_ENTRY(node, struct item, node)->name;
	text[n] = '\0';
	return text;
}

Test(list, keeps_nodes_in_order_and_lets_them_go)
{
	struct item a = { 'a' }, b = { 'b' }, c = { 'c' };
	struct list head;

	list_init(&head);
	list_init(&a.node);
	list_remove(&a.node); /* in no list: nothing happens */
	cr_assert_null(list_first(&head));
	list_append(&head, &a.node);
	list_append(&head, &b.node);
	list_prepend(&head, &c.node);
	cr_assert_str_eq(names(&head), "cab");
	cr_assert_eq(list_first(&head), &c.node);
	list_remove(&a.node);
	list_remove(&a.node);
	cr_assert_str_eq(names(&head), "cb");
	list_append(&head, &a.node);
	cr_assert_str_eq(names(&head), "cba");
}

Test(list, lets_the_current_node_leave_while_iterating)
{
	struct item items[5] = { { 'a' }, { 'b' }, { 'c' }, { 'd' }, { 'e' } };
	struct list head;

	list_init(&head);
	for (int i = 0; i < 5; i++)
		list_append(&head, &items[i].node);
	LIST_FOR(node, &head)
		if (LIST_ENTRY(node, struct item, node)->name % 2)
			list_remove(node);
	cr_assert_str_eq(names(&head), "bd");
}
