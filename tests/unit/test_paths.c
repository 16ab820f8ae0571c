/* SPDX-License-Identifier: Apache-2.0 */
/* Which pattern a path fits best, and patterns that are refused. */
#include <criterion/criterion.h>

#include "proxy/paths.h"

static struct arena arena;
static struct paths *paths;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
	paths = paths_new(&arena);
	cr_assert_not_null(paths);
}

static void
teardown(void)
{
	arena_fini(&arena);
}

TestSuite(paths, .init = setup, .fini = teardown);

static void
map(const char *pattern, unsigned methods, size_t upstream)
{
	const char *why = paths_add(paths, &arena, str_z(pattern), methods, upstream);

	cr_assert_null(why, "%s: %s", pattern, why);
}

static const struct paths_row *
find(enum h1_method method, const char *target)
{
	static struct segments path;

	cr_assert_eq(route_split(&arena, str_z(target), &path), OK, "%s", target);
	return paths_find(paths, &path, method);
}

/* The upstream, 0: none. */
static size_t
lead(enum h1_method method, const char *target)
{
	const struct paths_row *row = find(method, target);

	return row != NULL ? row->upstream : 0;
}

#define TO(target, want) cr_assert_eq(lead(H1_GET, target), want, "%s: %zu", target, lead(H1_GET, target))

Test(paths, the_most_specific_pattern_wins_in_any_order)
{
	map("/_matrix/**", 0, 1);
	map("/_matrix/client/{version}/sync", 0, 2);
	map("/_matrix/client/{version}/{any}", 0, 3);
	map("/_matrix/client/v3/sync", 0, 4);
	map("/_matrix/client/{version}/rooms/**", 0, 5);
	map("/_matrix/client/v3/rooms/{room}/send/{type}/{txn}", 0, 6);
	TO("/_matrix/client/v3/sync", 4);
	TO("/_matrix/client/r0/sync?timeout=1", 2);
	TO("/_matrix/client/r0/other", 3);
	TO("/_matrix/client/v3/other", 3);
	TO("/_matrix/client/v3/rooms/!r:a/send/m/1", 6);
	TO("/_matrix/client/v3/rooms/!r:a/state", 5);
	TO("/_matrix/client/v3/rooms", 3);
	TO("/_matrix/client/v3/rooms/", 5);
	TO("/_matrix/client", 1);
	TO("/_matrix/", 1);
	TO("/_matrix", 0);
	TO("/", 0);
	TO("/_matrix/client/v3/sync/", 1);
}

Test(paths, a_dead_end_does_not_hide_what_fits)
{
	map("/a/b/c", 0, 1);
	map("/a/{x}/d", 0, 2);
	map("/a/b/**", 0, 3);
	TO("/a/b/c", 1);
	TO("/a/b/d", 2);
	TO("/a/b/e", 3);
	TO("/a/e/e", 0);
}

Test(paths, methods_choose_among_rows)
{
	map("/a/{x}", 1 << H1_PUT | 1 << H1_POST, 1);
	map("/a/{x}", 1 << H1_GET, 2);
	map("/a/**", 0, 3);
	map("/b", 0, 4);
	map("/b", 1 << H1_DELETE, 5);
	cr_assert_eq(lead(H1_PUT, "/a/1"), 1);
	cr_assert_eq(lead(H1_POST, "/a/1"), 1);
	cr_assert_eq(lead(H1_GET, "/a/1"), 2);
	cr_assert_eq(lead(H1_HEAD, "/a/1"), 2);
	cr_assert_eq(lead(H1_DELETE, "/a/1"), 3);
	cr_assert_eq(lead(H1_OTHER, "/a/1"), 3);
	cr_assert_eq(lead(H1_DELETE, "/b"), 5);
	cr_assert_eq(lead(H1_GET, "/b"), 4);
}

/* The homeserver compares what it is sent. */
Test(paths, an_escaped_literal_is_another_path)
{
	map("/_matrix/client/{version}/x/{room}", 0, 1);
	TO("/_matrix/client/v3/x/%21r", 1);
	TO("/_matrix/client/v3/%78/r", 0);
}

Test(paths, says_which_segment_is_the_room)
{
	map("/_matrix/client/{version}/rooms/{room}/**", 0, 1);
	map("/_matrix/client/{version}/join/{id}", 0, 1);
	cr_assert_eq(find(H1_GET, "/_matrix/client/v3/rooms/!r/x")->room, 4);
	cr_assert_eq(find(H1_GET, "/_matrix/client/v3/join/!r")->room, PATHS_NO_ROOM);
}

Test(paths, refuses_patterns_that_could_never_fit)
{
	static const char *const bad[] = { "", "a/b", "/a/**/b", "/a//b", "/a/./b", "/a/../b", "/a/x{y}", "/a/{}",
		"/a/*", "/a/b*", "/a?x", "/a#b", "/a%20b", "/a b", "/a\\b",
		"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not_null(paths_add(paths, &arena, str_z(bad[i]), 0, 1), "%s", bad[i]);
	map("/a/", 0, 1);
	map("/", 0, 1);
	map("/**", 0, 1);
}

Test(paths, refuses_a_path_and_method_a_second_time)
{
	map("/a/{x}", 1 << H1_GET, 1);
	cr_assert_not_null(paths_add(paths, &arena, STR("/a/{y}"), 1 << H1_GET | 1 << H1_PUT, 2));
	map("/a/{y}", 0, 2);
	cr_assert_not_null(paths_add(paths, &arena, STR("/a/{x}"), 0, 3));
}
