/* SPDX-License-Identifier: Apache-2.0 */
/* Key files of session tickets, and rotation. */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/net/ticketkeys.h"

static struct tls_ticket_key keys[TLS_TICKET_KEYS];

/* The records are numbered in every byte. */
static struct str
file(char *room, size_t records, size_t more)
{
	for (size_t i = 0; i < records; i++)
		memset(room + 80 * i, (int)i + 1, 80);
	memset(room + 80 * records, 0, more);
	return str_of(room, 80 * records + more);
}

Test(ticketkeys, reads_records_in_their_order)
{
	char room[1024];

	cr_assert_eq(tls_tickets_read(file(room, 3, 0), keys), 3);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(keys[i].name[0], i + 1);
		cr_assert_eq(keys[i].aes[31], i + 1);
		cr_assert_eq(keys[i].mac[31], i + 1);
	}
	cr_assert_eq(tls_tickets_read(file(room, 8, 0), keys), 8);
}

Test(ticketkeys, takes_nothing_but_whole_records)
{
	char room[1024];

	cr_assert_eq(tls_tickets_read(STR_NONE, keys), 0);
	cr_assert_eq(tls_tickets_read(file(room, 0, 79), keys), 0);
	cr_assert_eq(tls_tickets_read(file(room, 1, 1), keys), 0, "a line break at the end");
	cr_assert_eq(tls_tickets_read(file(room, 2, 48), keys), 0);
	cr_assert_eq(tls_tickets_read(file(room, 9, 0), keys), 0, "too many");
}

Test(ticketkeys, takes_no_name_twice)
{
	char room[1024];
	struct str f = file(room, 3, 0);

	memcpy(room + 160, room, 16);
	cr_assert_eq(tls_tickets_read(f, keys), 0);
}

Test(ticketkeys, rotating_keeps_two_older_keys)
{
	struct tls_tickets *t[6] = { NULL };

	for (int i = 0; i < 5; i++) {
		t[i + 1] = tls_tickets_rotate(t[i]);
		cr_assert_eq(t[i + 1]->n, i < 3 ? (size_t)i + 1 : TLS_TICKET_KEEP);
		for (size_t k = 1; k < t[i + 1]->n; k++)
			cr_assert_arr_eq(
			    &t[i + 1]->keys[k], &t[i]->keys[k - 1], sizeof(struct tls_ticket_key));
		cr_assert(i == 0 || memcmp(&t[i + 1]->keys[0], &t[i]->keys[0],
					sizeof(struct tls_ticket_key)) != 0);
	}
	for (int i = 1; i < 6; i++)
		snapshot_drop(&t[i]->snap);
}
