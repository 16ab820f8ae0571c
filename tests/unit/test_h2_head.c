/* SPDX-License-Identifier: Apache-2.0 */
/* A head is written here as text: one field per line, "name: value". */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http/h2_head.h"

static struct arena arena;
static struct h1_head head;
static const struct h1_limits limits = { .head_max = 512, .target_max = 64, .fields_max = 8 };

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
}

static void
teardown(void)
{
	arena_fini(&arena);
	arena_drop_cache();
}

TestSuite(h2_head, .init = setup, .fini = teardown);

static enum err
parse(const char *text, bool body)
{
	struct str rest = str_z(text), line, name, value;
	struct h2_head h;

	h2_head_begin(&h, &arena, &limits, true, &head);
	while (str_cut(rest, '\n', &line, &rest)) {
		size_t colon = (size_t)(strstr(line.p + 1, ": ") - line.p);

		name = str_of(line.p, colon);
		value = str_from(line, colon + 2);
		cr_assert(h2_head_add(&h, name, value), "%s", text);
	}
	return h2_head_end(&h, body);
}

#define BASE ":method: GET\n:scheme: https\n:authority: h.example:8448\n:path: /a?b=%2f\n"
#define assert_str(s, text) cr_assert(str_eq(s, STR(text)), STR_FMT, STR_ARG(s))

Test(h2_head, becomes_what_http_1_1_would_be)
{
	const struct h1_field *f;

	cr_assert_eq(parse(BASE "accept: */*\nte: trailers\nauthorization: Bearer x\nx-empty: \n", false), OK);
	cr_assert_eq(head.method, H1_GET);
	assert_str(head.method_text, "GET");
	assert_str(head.target, "/a?b=%2f");
	assert_str(head.host, "h.example:8448");
	cr_assert_eq(head.minor, 1);
	cr_assert(head.keep_alive);
	cr_assert_eq(head.framing, H1_NO_BODY);
	cr_assert_eq(head.n_fields, 5);
	assert_str(head.fields[0].name, "host");
	assert_str(head.fields[0].value, "h.example:8448");
	f = h1_find(&head, H1_F_AUTHORIZATION);
	cr_assert_not_null(f);
	assert_str(f->value, "Bearer x");
	cr_assert(head.fields[2].hop, "te");
	cr_assert_null(h1_find(&head, H1_F_TE));
}

Test(h2_head, framing)
{
	cr_assert_eq(parse(BASE, true), OK);
	cr_assert_eq(head.framing, H1_CHUNKED);
	cr_assert_eq(parse(BASE "content-length: 17\n", true), OK);
	cr_assert_eq(head.framing, H1_LENGTH);
	cr_assert_eq(head.length, 17);
	cr_assert_eq(parse(BASE "content-length: 0\n", false), OK);
	cr_assert_eq(head.framing, H1_LENGTH);
	cr_assert_eq(parse(BASE "content-length: 17\n", false), ERR_HTTP_FRAMING);
	cr_assert_eq(parse(BASE "content-length: 1\ncontent-length: 1\n", true), ERR_HTTP_FRAMING);
	cr_assert_eq(head.framing, H1_NO_BODY, "of a refused head nothing is expected");
}

Test(h2_head, expectation)
{
	cr_assert_eq(parse(BASE "expect: 100-Continue\n", true), OK);
	cr_assert(head.expect_continue);
	cr_assert_eq(parse(BASE "expect: 101\n", true), ERR_HTTP_EXPECT);
	cr_assert_not(head.expect_continue);
}

Test(h2_head, cookies_are_joined_where_the_first_stood)
{
	cr_assert_eq(parse(BASE "cookie: a=1\nx: y\ncookie: b=2\ncookie: c\n", false), OK);
	cr_assert_eq(head.n_fields, 3);
	assert_str(head.fields[1].value, "a=1; b=2; c");
	assert_str(head.fields[2].name, "x");
	cr_assert_eq(parse(BASE "cookie: a=1\n", false), OK);
	assert_str(head.fields[1].value, "a=1");
}

Test(h2_head, many_fields_are_kept_in_their_order)
{
	static const struct h1_limits wide = { 65536, 64, H1_FIELDS_CEILING };
	struct h2_head h;
	char name[16];

	h2_head_begin(&h, &arena, &wide, true, &head);
	cr_assert(h2_head_add(&h, STR(":method"), STR("GET")));
	cr_assert(h2_head_add(&h, STR(":scheme"), STR("https")));
	cr_assert(h2_head_add(&h, STR(":path"), STR("/")));
	cr_assert(h2_head_add(&h, STR(":authority"), STR("h")));
	for (int i = 0; i < H1_FIELDS_CEILING - 1; i++) {
		snprintf(name, sizeof(name), "x-%d", i);
		cr_assert(h2_head_add(&h, str_z(name), str_z(name + 2)));
	}
	cr_assert_eq(h2_head_end(&h, false), OK);
	cr_assert_eq(head.n_fields, H1_FIELDS_CEILING);
	assert_str(head.fields[100].name, "x-99");
	assert_str(head.fields[100].value, "99");
}

Test(h2_head, host_and_authority)
{
	cr_assert_eq(parse(":method: GET\n:scheme: https\n:path: /\nhost: h\n", false), OK);
	assert_str(head.host, "h");
	cr_assert_eq(head.n_fields, 1);
	cr_assert_eq(parse(BASE "host: H.Example:8448\n", false), OK);
	cr_assert_eq(head.n_fields, 1);
	cr_assert_eq(parse(BASE "host: h.example\n", false), ERR_HTTP_HOST);
	cr_assert_eq(parse(BASE "host: h.example:8448\nhost: h.example:8448\n", false), ERR_HTTP_HOST);
	cr_assert_eq(parse(":method: GET\n:scheme: https\n:path: /\n", false), ERR_HTTP_HOST);
	cr_assert_eq(parse(":method: GET\n:scheme: https\n:path: /\n:authority: a@h\n", false), ERR_HTTP_HOST);
	cr_assert_eq(parse(":method: GET\n:scheme: https\n:path: /\n:authority: \n", false), ERR_HTTP_HOST);
}

Test(h2_head, asterisk_of_options)
{
	cr_assert_eq(parse(":method: OPTIONS\n:scheme: https\n:path: *\n:authority: h\n", false), OK);
	assert_str(head.target, "*");
	cr_assert_eq(parse(":method: GET\n:scheme: https\n:path: *\n:authority: h\n", false), ERR_HTTP_TARGET);
}

Test(h2_head, refused)
{
	static const struct {
		const char *text;
		enum err err;
	} rows[] = {
		{ ":method: CONNECT\n:authority: h:443\n", ERR_METHOD },
		{ BASE ":protocol: websocket\n", ERR_HTTP_LINE },
		{ BASE ":status: 200\n", ERR_HTTP_LINE },
		{ BASE ":path: /\n", ERR_HTTP_LINE },
		{ "a: b\n" BASE, ERR_HTTP_LINE },
		{ ":scheme: https\n:authority: h\n:path: /\n", ERR_HTTP_LINE },
		{ ":method: GET\n:authority: h\n:path: /\n", ERR_HTTP_LINE },
		{ ":method: GET\n:scheme: https\n:authority: h\n", ERR_HTTP_LINE },
		{ ":method: \n:scheme: https\n:authority: h\n:path: /\n", ERR_HTTP_LINE },
		{ ":method: GE T\n:scheme: https\n:authority: h\n:path: /\n", ERR_HTTP_LINE },
		{ ":method: GET\n:scheme: http\n:authority: h\n:path: /\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: HTTPS\n:authority: h\n:path: /\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: x\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: https://h/\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: /#a\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: /a b\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: /\x80\n", ERR_HTTP_TARGET },
		{ ":method: GET\n:scheme: https\n:authority: h\n:path: /0123456789012345678901234567890123456789"
		  "0123456789012345678901234\n", ERR_HTTP_TARGET_SIZE },
		{ BASE "A: b\n", ERR_HTTP_FIELD },
		{ BASE "a b: c\n", ERR_HTTP_FIELD },
		{ BASE "a\xe4: c\n", ERR_HTTP_FIELD },
		{ BASE "a: b\rc\n", ERR_HTTP_FIELD },
		{ BASE "a: b\x7f\n", ERR_HTTP_FIELD },
		{ BASE "a:  b\n", ERR_HTTP_FIELD },
		{ BASE "a: b \n", ERR_HTTP_FIELD },
		{ BASE "connection: close\n", ERR_HTTP_FIELD },
		{ BASE "keep-alive: 1\n", ERR_HTTP_FIELD },
		{ BASE "proxy-connection: close\n", ERR_HTTP_FIELD },
		{ BASE "upgrade: h2c\n", ERR_HTTP_FIELD },
		{ BASE "te: gzip\n", ERR_HTTP_FIELD },
		{ BASE "transfer-encoding: chunked\n", ERR_HTTP_FRAMING },
		{ BASE "content-length: 1 2\n", ERR_HTTP_FRAMING },
		{ BASE "content-length: -1\n", ERR_HTTP_FRAMING },
		{ BASE "content-length: \n", ERR_HTTP_FRAMING },
		{ BASE "content-length: 18446744073709551616\n", ERR_HTTP_FRAMING },
		{ BASE "1: \n2: \n3: \n4: \n5: \n6: \n7: \n8: \n", ERR_HTTP_HEAD_SIZE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum err err = parse(rows[i].text, true);

		cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].text, err_name(err));
	}
	cr_assert_eq(parse(BASE "1: \n2: \n3: \n4: \n5: \n6: \n7: \n", true), OK, "with Host as many as allowed");
}

Test(h2_head, nul_and_lf_in_names_and_values)
{
	static const struct str bad[] = { { "a\0b", 3 }, { "a\nb", 3 }, { "\0", 1 }, { "", 0 } };
	struct h2_head h;

	for (size_t i = 0; i < 4; i++) {
		h2_head_begin(&h, &arena, &limits, true, &head);
		cr_assert(h2_head_add(&h, bad[i], STR("v")));
		cr_assert_eq(h.err, ERR_HTTP_FIELD);
		if (bad[i].n == 0)
			continue;
		h2_head_begin(&h, &arena, &limits, true, &head);
		cr_assert(h2_head_add(&h, STR("n"), bad[i]));
		cr_assert_eq(h.err, ERR_HTTP_FIELD);
		h2_head_begin(&h, &arena, &limits, true, &head);
		cr_assert(h2_head_add(&h, STR(":path"), bad[i]));
		cr_assert_eq(h.err, ERR_HTTP_TARGET);
	}
}

/* The same bytes count as in HTTP/1.1. */
Test(h2_head, size_is_that_of_http_1_1)
{
	const char *h1 = "GET /a?b=%2f HTTP/1.1\r\nHost: h.example:8448\r\nx: \r\n\r\n";
	char text[1024];

	for (size_t more = 0; more < 2; more++) {
		snprintf(text, sizeof(text), "%sx: %0*d\n", BASE, (int)(limits.head_max - strlen(h1) + more), 0);
		cr_assert_eq(parse(text, false), more > 0 ? ERR_HTTP_HEAD_SIZE : OK);
	}
	assert_str(head.target, "/a?b=%2f");
}

Test(h2_head, is_not_read_without_end)
{
	struct h2_head h;
	size_t n = 0;

	h2_head_begin(&h, &arena, &limits, true, &head);
	while (h2_head_add(&h, STR("name"), STR("value")))
		n++;
	cr_assert_leq(n * 13, H2_HEAD_EXCESS * limits.head_max);
	cr_assert_eq(h2_head_end(&h, false), ERR_HTTP_HEAD_SIZE);
	cr_assert_leq(head.n_fields, limits.fields_max);
}

Test(h2_head, out_of_memory)
{
	struct arena small;
	struct h2_head h;

	arena_init(&small, 64);
	h2_head_begin(&h, &small, &limits, true, &head);
	cr_assert(h2_head_add(&h, STR(":method"), STR("GET")));
	cr_assert(h2_head_add(&h, STR("name"), STR("value")));
	cr_assert_eq(h2_head_end(&h, false), ERR_MEMORY);
	arena_fini(&small);
}

Test(h2_head, trailers)
{
	cr_assert(h2_head_trailer(STR("x-checksum"), STR("1")));
	cr_assert_not(h2_head_trailer(STR("content-length"), STR("1")));
	cr_assert_not(h2_head_trailer(STR("host"), STR("h")));
	cr_assert_not(h2_head_trailer(STR("transfer-encoding"), STR("chunked")));
	cr_assert_not(h2_head_trailer(STR(":path"), STR("/")));
	cr_assert_not(h2_head_trailer(STR("X"), STR("1")));
	cr_assert_not(h2_head_trailer(STR("x"), STR("1\r\n")));
}

Test(h2_head, responses_lose_what_is_hop_by_hop)
{
	struct h1_field fields[] = { { STR("Content-Type"), STR("a/b"), H1_F_CONTENT_TYPE, false },
		{ STR("Connection"), STR("close"), H1_F_CONNECTION, true },
		{ STR("X-Y"), STR(""), H1_F_OTHER, false } };
	struct h1_head resp = { .status = 204, .fields = fields, .n_fields = 3 };
	nghttp2_nv nv[H2_HEAD_NVS];
	char digits[3];

	cr_assert_eq(h2_head_response(&resp, digits, nv), 3);
	assert_str(str_of((char *)nv[0].name, nv[0].namelen), ":status");
	assert_str(str_of((char *)nv[0].value, nv[0].valuelen), "204");
	assert_str(str_of((char *)nv[1].name, nv[1].namelen), "Content-Type");
	assert_str(str_of((char *)nv[2].name, nv[2].namelen), "X-Y");
	cr_assert_eq(nv[2].valuelen, 0);
}

/* Strict-Transport-Security comes to a head that may have all fields a homeserver can send. */
Test(h2_head, the_largest_response_and_a_field_of_ours_fit)
{
	static struct h1_field fields[H1_FIELDS_CEILING + 1];
	const size_t n = sizeof(fields) / sizeof(fields[0]);
	const struct h1_head resp = { .status = 200, .fields = fields, .n_fields = n };
	nghttp2_nv nv[H2_HEAD_NVS];
	char digits[3];

	for (size_t i = 0; i < n; i++)
		fields[i] = (struct h1_field){ .name = STR("x"), .value = STR("y") };
	cr_assert_eq(h2_head_response(&resp, digits, nv), n + 1);
	cr_assert_leq(n + 1, H2_HEAD_NVS);
}
