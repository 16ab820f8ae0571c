/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of endpoints and the rules for paths: FD-5.2.1.2-5, FD-5.2.1.2-14, T-10, T-13, O-9, O-10. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/routes.h"
#include "tests/unit/judge.h"

static struct arena arena;
static struct segments path;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
	cr_assert(routes_init());
}

static void
teardown(void)
{
	routes_fini();
	arena_fini(&arena);
}

TestSuite(routes, .init = setup, .fini = teardown);

static enum err
find(struct str method, struct str target, const struct route **r)
{
	enum err err = route_split(&arena, target, &path);

	*r = NULL;
	return err == OK ? route_find(&path, method, r) : err;
}

/* --- the table --- */

static const char *const versions[] = { "r0", "v1", "v3", "unstable", "api/v1" };
static const struct macro parameters[] = {
	{ "{room}", "!r%3Aus.example" }, { "{user}", "%40anna%3Aus.example" }, { "{event}", "$e" }, { "{txn}", "17" },
	{ "{type}", "m.some" }, { "{key}", "some" }, { "{media}", "abc" }, { "{server}", "them.example" },
	{ "{device}", "DEV" }, { "{name}", "a.pdf" }, { "**", "a/b%2Fc/" },
};

static void
check_row(const struct route *row, const char *version)
{
	struct macro all[16] = { { "<v>", version } };
	size_t n = sizeof(parameters) / sizeof(parameters[0]);
	const struct route *found;
	struct str method, rest;
	char *target;
	enum err err;

	memcpy(all + 1, parameters, sizeof(parameters));
	target = expand(row->path, all, n + 1);
	str_cut(str_z(row->methods), ',', &method, &rest);
	if (str_eq(method, STR("*")))
		method = STR("PUT");
	err = find(method, str_z(target), &found);
	cr_assert_eq(err, OK, "%s: %s", target, err_name(err));
	cr_assert_eq(found, row, "%s: %s, expected %s", target, found->path, row->path);
	free(target);
}

Test(routes, every_row_is_found_by_a_path_of_its_own)
{
	size_t n;
	const struct route *table = routes_table(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++)
			check_row(&table[i], versions[v]);
}

static const char *
api_name(const struct route *r)
{
	static const char *const names[] = { "client", "federation", "keys", "admin", "internal", "none" };

	return r->open != ROUTE_AUTH ? "open" : names[r->api];
}

static const char *
rule_name(const struct route *r)
{
	static const char *const names[] = { [RULE_NONE] = "none", [RULE_INVITE] = "invite",
		[RULE_INVITE_V1] = "invite", [RULE_EXCHANGE] = "exchange", [RULE_TRANSACTION] = "transaction",
		[RULE_EVENT] = "event",
		[RULE_UNKNOWN_FEDERATION] = "unknown", [RULE_PROFILE_NAME] = "profile", [RULE_PROFILE_KEY] = "profile",
		[RULE_MEMBER_STATE] = "state", [RULE_JOIN] = "join", [RULE_CREATE_ROOM] = "create",
		[RULE_UNKNOWN_CLIENT] = "none", [RULE_SESSION_END] = "none" };

	return names[r->rule];
}

/* The case's verdict is "api rule", or the name of an err. */
static const char *
verdict(const char *const *field)
{
	static char text[64];
	const struct route *r;
	enum err err = find(str_z(field[0]), str_z(field[1]), &r);

	if (err != OK)
		return err_name(err);
	snprintf(text, sizeof(text), "%s %s", api_name(r), rule_name(r));
	return text;
}

Test(routes, serve_the_whole_catalogue)
{
	judge_cases("routes", verdict);
}

/* --- what the homeserver may ask others for without signing it (O-11) --- */

static enum route_out
out_of(struct str method, struct str target)
{
	const struct route *r;

	return find(method, target, &r) == OK ? r->out : OUT_NONE;
}

Test(routes, media_of_other_servers_may_be_fetched)
{
	const struct route *r;

	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v3/download/them.example/abc?allow_remote=false")), OUT_MEDIA);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/r0/download/them.example/abc/a%20b.pdf")), OUT_MEDIA);
	cr_assert_eq(out_of(STR("HEAD"), STR("/_matrix/media/v1/thumbnail/them.example/abc?width=1")), OUT_MEDIA);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/api/v1/download/them.example/abc")), OUT_MEDIA);
	cr_assert_eq(out_of(STR("POST"), STR("/_matrix/media/v3/download/them.example/abc")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v3/download/them.example")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v3/download/them.example/abc/d/e")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v9/download/them.example/abc")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v3/config")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/media/v3/preview_url?url=x")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/_matrix/client/v1/media/download/them.example/abc")), OUT_NONE);
	/* Clients upload and download as before. */
	cr_assert_eq(find(STR("OPTIONS"), STR("/_matrix/media/v3/download/them.example/abc"), &r), OK);
	cr_assert_eq(r->api, API_CLIENT);
	cr_assert_eq(r->pace, PACE_MEDIA);
}

Test(routes, where_another_server_is_may_be_asked)
{
	cr_assert_eq(out_of(STR("GET"), STR("/.well-known/matrix/server")), OUT_WELL_KNOWN);
	cr_assert_eq(out_of(STR("GET"), STR("/.well-known/matrix/client")), OUT_NONE);
	cr_assert_eq(out_of(STR("GET"), STR("/.well-known/matrix/server/")), OUT_NONE);
}

/* --- paths --- */

Test(routes, split_decodes_each_segment_once)
{
	cr_assert_eq(route_split(&arena, STR("/a%2Fb/%2541/c%20d?x=%31#"), &path), OK);
	cr_assert_eq(path.n, 3);
	cr_assert(str_eq(path.text[0], STR("a/b")));
	cr_assert(str_eq(path.raw[0], STR("a%2Fb")));
	cr_assert(str_eq(path.text[1], STR("%41")));
	cr_assert(str_eq(path.text[2], STR("c d")));
	cr_assert(str_eq(path.query, STR("x=%31#")));
	cr_assert_eq(route_split(&arena, STR("/a/"), &path), OK);
	cr_assert_eq(path.n, 2);
	cr_assert_eq(path.text[1].n, 0);
	cr_assert_null(path.query.p);
}

Test(routes, split_counts_segments)
{
	char target[2 * ROUTE_SEGMENTS_MAX + 3];

	for (size_t i = 0; i <= ROUTE_SEGMENTS_MAX; i++)
		memcpy(target + 2 * i, "/a", 3);
	cr_assert_eq(route_split(&arena, str_of(target, sizeof(target) - 1), &path), ERR_PATH);
	cr_assert_eq(route_split(&arena, str_of(target, 2 * ROUTE_SEGMENTS_MAX), &path), OK);
	cr_assert_eq(path.n, ROUTE_SEGMENTS_MAX);
}

Test(routes, split_reads_nothing_behind_a_percent_sign_at_the_end)
{
	const char text[] = { '/', 'a', '%', '4' };

	cr_assert_eq(route_split(&arena, str_of(text, 4), &path), ERR_PATH);
	cr_assert_eq(route_split(&arena, str_of(text, 3), &path), ERR_PATH);
}

/* --- methods --- */

Test(routes, head_is_get_without_a_body)
{
	const struct route *r;

	cr_assert_eq(find(STR("HEAD"), STR("/_matrix/federation/v1/event/e"), &r), OK);
	cr_assert_eq(find(STR("HEAD"), STR("/_matrix/federation/v1/send/1"), &r), ERR_METHOD);
}

Test(routes, a_405_names_the_methods_there_are)
{
	const struct route *r;

	cr_assert_eq(find(STR("DELETE"), STR("/_matrix/federation/v1/publicRooms"), &r), ERR_METHOD);
	cr_assert_str_eq(r->methods, "GET,POST");
}
