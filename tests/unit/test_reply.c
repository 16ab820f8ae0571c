/* SPDX-License-Identifier: Apache-2.0 */
/* Error objects (Matrix client-server API, "Standard error response"). */
#include <criterion/criterion.h>

#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "lib/matrix/reply.h"

Test(reply, tells_errcode_and_condition)
{
	struct buf b;

	buf_init(&b, 4096);
	cr_assert(reply_body(&b, ERR_ORIGIN_UNLISTED, STR_NONE, 0));
	cr_assert(str_eq(buf_str(&b), STR("{\"errcode\":\"M_FORBIDDEN\",\"error\":\"Origin is not "
					  "part of the federation\"}")));
	buf_fini(&b);
}

Test(reply, tells_when_to_ask_again)
{
	struct buf b;

	buf_init(&b, 4096);
	cr_assert(reply_body(&b, ERR_RATE, STR_NONE, 1234));
	cr_assert(str_eq(buf_str(&b),
	    STR("{\"errcode\":\"M_LIMIT_EXCEEDED\",\"error\":\"Too many requests; try again "
		"later\",\"retry_after_ms\":1234}")));
	buf_fini(&b);
}

static void
check_about(enum err why, struct str about, struct str expected)
{
	struct arena a;
	struct str out;
	struct buf b;

	arena_init(&a, 4096);
	buf_init(&b, 4096);
	cr_assert(reply_body(&b, why, about, 0));
	cr_assert_eq(canonical_form(&a, buf_str(&b), &out), OK);
	out = json_text(&a, json_get(out, STR("error")));
	cr_assert(str_eq(out, expected), "%.*s", STR_ARG(out));
	buf_fini(&b);
	arena_fini(&a);
}

/* A_25534: with the domain, in these words. */
Test(reply, names_who_is_not_in_the_federation)
{
	struct buf b;

	buf_init(&b, 4096);
	cr_assert(reply_body(&b, ERR_DESTINATION_UNLISTED, STR("them.example"), 0));
	cr_assert(str_eq(buf_str(&b), STR("{\"errcode\":\"M_FORBIDDEN\",\"error\":\"them.example kann nicht in der "
					  "F\xc3\xb6" "deration gefunden werden\"}")));
	buf_fini(&b);
	check_about(ERR_DOMAIN_UNLISTED, STR("[2001:db8::1]:8448"),
	    STR("[2001:db8::1]:8448 kann nicht in der Föderation gefunden werden"));
	check_about(ERR_DOMAIN_UNLISTED, STR_NONE, STR("Domain kann nicht in der Föderation gefunden werden"));
	check_about(ERR_DESTINATION_UNLISTED, STR("a\"b\\"), STR("a\"b\\ kann nicht in der Föderation gefunden werden"));
	check_about(ERR_ORIGIN_UNLISTED, STR("them.example"), STR("Origin is not part of the federation"));
}

Test(reply, names_no_more_than_a_server_name)
{
	char name[NAME_MAX_LEN + 1];

	memset(name, 'a', sizeof(name));
	check_about(ERR_DOMAIN_UNLISTED, str_of(name, sizeof(name)),
	    STR("Domain kann nicht in der Föderation gefunden werden"));
}

Test(reply, is_valid_json_for_every_reason)
{
	for (int e = 0; e < ERR_COUNT; e++) {
		struct arena a;
		struct str out;
		struct buf b;

		arena_init(&a, 4096);
		buf_init(&b, 4096);
		cr_assert(reply_body(&b, (enum err)e, STR_NONE, 0), "%s", err_name((enum err)e));
		cr_assert_eq(
		    canonical_form(&a, buf_str(&b), &out), OK, "%s", err_name((enum err)e));
		cr_assert(str_has_prefix(json_text(&a, json_get(out, STR("errcode"))), STR("M_")));
		cr_assert_gt(json_text(&a, json_get(out, STR("error"))).n, 0);
		buf_fini(&b);
		arena_fini(&a);
	}
}

Test(reply, keeps_inner_reasons_to_itself)
{
	struct buf b;

	buf_init(&b, 4096);
	cr_assert(reply_body(&b, ERR_KEYS_SIGNATURE, STR_NONE, 0));
	cr_assert(str_eq(buf_str(&b),
	    STR("{\"errcode\":\"M_UNKNOWN\",\"error\":\"Internal error of the proxy\"}")));
	buf_fini(&b);
}

Test(reply, writes_nothing_when_the_buffer_is_full)
{
	struct buf b;

	buf_init(&b, 40);
	cr_assert_not(reply_body(&b, ERR_ORIGIN_UNLISTED, STR_NONE, 0));
	cr_assert_eq(buf_len(&b), 0);
	buf_fini(&b);
}

Test(reply, asks_for_patience_only_where_it_helps)
{
	cr_assert_eq(reply_retry_after(ERR_ORIGIN_UNLISTED), 0);
	cr_assert_eq(reply_retry_after(ERR_JSON_SYNTAX), 0);
	cr_assert_eq(reply_retry_after(ERR_OVERLOAD), 1);
	cr_assert_eq(reply_retry_after(ERR_LOOKUP), 5);
	cr_assert_eq(reply_retry_after(ERR_FEDLIST_STALE), 300);
	for (int e = 0; e < ERR_COUNT; e++)
		cr_assert(err_rows[e].status != 503 || reply_retry_after((enum err)e) > 0, "%s",
		    err_name((enum err)e));
}
