/* SPDX-License-Identifier: Apache-2.0 */
/* Which server names a host and port stands for (unsigned key requests through CONNECT). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/matrix/owners.h"

static struct loop *loop;
static struct owners *owners;
static const struct destination_owner *found;

static void
setup(void)
{
	loop = loop_new(NULL);
	owners = owners_new(loop, 2);
	cr_assert_not_null(owners);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	owners_free(owners);
	loop_free(loop);
}

TestSuite(owners, .init = setup, .fini = teardown);

static void
on_fact(void *arg, const struct fact *f)
{
	found = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	loop_stop(loop);
}

static void
ask(struct str host, uint16_t port)
{
	char key[OWNERS_KEY_MAX];
	struct fact_wait w;

	snapshot_drop((struct snapshot *)(uintptr_t)found);
	found = NULL;
	fact_clear(owners_cache(owners));
	fact_wait_init(&w);
	fact_get(owners_cache(owners), owners_key(host, port, key), NULL, 0, &w, on_fact, NULL);
	loop_run(loop);
	cr_assert_not_null(found);
}

static void
note(const char *host, uint16_t port, const char *name)
{
	owners_note(owners, str_z(host), port, str_z(name), loop_now(loop) + 60000);
}

Test(owners, are_all_names_that_point_there_latest_first)
{
	note("hs.example", 8448, "a.example");
	note("hs.example", 8448, "b.example");
	note("hs.example", 8448, "c.example");
	note("HS.example.", 8448, "a.example");
	note("hs.example", 443, "d.example");
	ask(STR("hs.EXAMPLE"), 8448);
	cr_assert_eq(found->fact.err, OK);
	cr_assert_eq(found->n, 3);
	cr_assert_str_eq(found->names[0], "a.example");
	cr_assert_str_eq(found->names[1], "c.example");
	cr_assert_str_eq(found->names[2], "b.example");
}

Test(owners, of_a_literal_are_found_however_it_is_written)
{
	note("2001:db8::1", 8448, "[2001:db8::1]");
	ask(STR("[2001:DB8:0::1]"), 8448);
	cr_assert_eq(found->n, 1);
	cr_assert_str_eq(found->names[0], "[2001:db8::1]");
}

Test(owners, of_an_unknown_place_are_none)
{
	note("hs.example", 8448, "a.example");
	ask(STR("hs.example"), 443);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
}

Test(owners, are_forgotten_when_their_time_is_over)
{
	owners_note(owners, STR("hs.example"), 1, STR("old.example"), loop_now(loop));
	ask(STR("hs.example"), 1);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	owners_note(owners, STR("hs.example"), 1, STR("old.example"), loop_now(loop));
	note("hs.example", 1, "new.example");
	ask(STR("hs.example"), 1);
	cr_assert_eq(found->n, 1);
	cr_assert_str_eq(found->names[0], "new.example");
}

Test(owners, of_one_place_are_bounded)
{
	char name[32];

	for (int i = 0; i < 2 * OWNERS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		note("hs.example", 1, name);
	}
	ask(STR("hs.example"), 1);
	cr_assert_eq(found->n, OWNERS_NAMES_MAX);
	cr_assert_str_eq(found->names[0], "n31.example");
	cr_assert_str_eq(found->names[OWNERS_NAMES_MAX - 1], "n16.example");
}

Test(owners, are_known_of_a_bounded_number_of_places)
{
	note("a.example", 1, "a.example");
	note("b.example", 1, "b.example");
	note("a.example", 1, "a.example");
	note("c.example", 1, "c.example");
	ask(STR("b.example"), 1);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	ask(STR("a.example"), 1);
	cr_assert_eq(found->fact.err, OK);
}
