/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP/1.1 messages (RFC 9112): what is taken, what is refused and for which reason. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http/h1.h"

static const struct h1_limits limits = { .head_max = 16384, .target_max = 4096, .fields_max = 100 };

/* Literals may contain NUL. */
#define ROW(literal, ...) { { literal, sizeof(literal) - 1 }, __VA_ARGS__ }
#define H "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n" H

struct refusal {
	struct str head;
	enum err err;
};

static enum err
request(struct arena *a, struct str in, const struct h1_limits *lim, struct h1_head *out)
{
	size_t scanned = 0, n = h1_head_end(in, &scanned);

	cr_assert_eq(n, in.n, "head ends at %zu of %zu: " STR_FMT, n, in.n, STR_ARG(in));
	return h1_parse_request(a, in, lim, out);
}

static void
refuse_all(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena a;
		struct h1_head h;
		size_t scanned = 0, end = h1_head_end(rows[i].head, &scanned);
		enum err err;

		arena_init(&a, 65536);
		cr_assert_gt(end, 0, "row %zu has no end", i);
		err = h1_parse_request(&a, str_of(rows[i].head.p, end), &limits, &h);
		cr_expect_eq(err, rows[i].err, "row %zu: %s instead of %s: " STR_FMT, i, err_name(err),
		    err_name(rows[i].err), STR_ARG(rows[i].head));
		arena_fini(&a);
	}
}
#define REFUSE_ALL(rows) refuse_all(rows, sizeof(rows) / sizeof(rows[0]))

Test(h1, reads_a_request)
{
	struct arena a;
	struct h1_head h;

	arena_init(&a, 65536);
	cr_assert_eq(request(&a,
			 STR("PUT /_matrix/federation/v1/send/1?a=%2f HTTP/1.1\r\n"
			     "HOST:a.example:8448\r\nContent-Length: 17 \t\r\nX-Empty:\r\n"
			     "X-Text: \t a\tb \xc3\xa4 \r\n\r\n"),
			 &limits, &h),
	    OK);
	cr_assert_eq(h.method, H1_PUT);
	cr_assert(str_eq(h.method_text, STR("PUT")));
	cr_assert(str_eq(h.target, STR("/_matrix/federation/v1/send/1?a=%2f")));
	cr_assert(str_eq(h.host, STR("a.example:8448")));
	cr_assert_eq(h.authority.n, 0);
	cr_assert_eq(h.minor, 1);
	cr_assert(h.keep_alive);
	cr_assert_eq(h.framing, H1_LENGTH);
	cr_assert_eq(h.length, 17);
	cr_assert_not(h.expect_continue);
	cr_assert_eq(h.n_fields, 4);
	cr_assert(str_eq(h.fields[0].name, STR("HOST")));
	cr_assert_eq(h.fields[0].id, H1_F_HOST);
	cr_assert_eq(h.fields[2].id, H1_F_OTHER);
	cr_assert_eq(h.fields[2].value.n, 0);
	cr_assert(str_eq(h.fields[3].value, STR("a\tb \xc3\xa4")));
	arena_fini(&a);
}

Test(h1, knows_the_methods_by_exact_name)
{
	static const struct {
		const char *text;
		enum h1_method method;
	} rows[] = { { "GET", H1_GET }, { "HEAD", H1_HEAD }, { "POST", H1_POST }, { "PUT", H1_PUT },
		{ "DELETE", H1_DELETE }, { "OPTIONS", H1_OPTIONS }, { "PATCH", H1_PATCH },
		{ "TRACE", H1_TRACE }, { "get", H1_OTHER }, { "GETS", H1_OTHER }, { "X-!", H1_OTHER } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;
		char text[100];

		arena_init(&a, 65536);
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" H "\r\n", rows[i].text);
		cr_assert_eq(request(&a, str_z(text), &limits, &h), OK, "%s", rows[i].text);
		cr_assert_eq(h.method, rows[i].method, "%s", rows[i].text);
		arena_fini(&a);
	}
}

Test(h1, numbers_the_fields_it_knows_in_any_case)
{
	static const struct {
		const char *name;
		enum h1_field_id id;
		bool hop;
	} rows[] = {
		{ "Host", H1_F_HOST, false },
		{ "content-length", H1_F_CONTENT_LENGTH, false },
		{ "TRANSFER-ENCODING", H1_F_TRANSFER_ENCODING, true },
		{ "Connection", H1_F_CONNECTION, true },
		{ "Keep-Alive", H1_F_KEEP_ALIVE, true },
		{ "tE", H1_F_TE, true },
		{ "Trailer", H1_F_TRAILER, true },
		{ "Upgrade", H1_F_UPGRADE, true },
		{ "Expect", H1_F_EXPECT, true },
		{ "Proxy-Authorization", H1_F_PROXY_AUTHORIZATION, true },
		{ "Proxy-Authenticate", H1_F_PROXY_AUTHENTICATE, true },
		{ "Proxy-Connection", H1_F_PROXY_CONNECTION, true },
		{ "Forwarded", H1_F_FORWARDED, false },
		{ "x-forwarded-for", H1_F_X_FORWARDED, false },
		{ "X-Forwarded-Anything", H1_F_X_FORWARDED, false },
		{ "X-Forwarded", H1_F_OTHER, false },
		{ "X-Real-IP", H1_F_X_REAL_IP, false },
		{ "X-HTTP-Method-Override", H1_F_METHOD_OVERRIDE, false },
		{ "X-HTTP-Method", H1_F_METHOD_OVERRIDE, false },
		{ "X-Method-Override", H1_F_METHOD_OVERRIDE, false },
		{ "Authorization", H1_F_AUTHORIZATION, false },
		{ "Content-Type", H1_F_CONTENT_TYPE, false },
		{ "Date", H1_F_DATE, false },
		{ "Server", H1_F_SERVER, false },
		{ "Retry-After", H1_F_RETRY_AFTER, false },
		{ "User-Agent", H1_F_USER_AGENT, false },
		{ "Access-Control-Allow-Origin", H1_F_ACCESS_CONTROL, false },
		{ "X-Request-Id", H1_F_X_REQUEST_ID, false },
		{ "Accept", H1_F_ACCEPT, false },
		{ "Accept-Encoding", H1_F_ACCEPT_ENCODING, false },
		{ "Cookie", H1_F_COOKIE, false },
		{ "Origin", H1_F_ORIGIN, false },
		{ "Referer", H1_F_REFERER, false },
		{ "ETag", H1_F_ETAG, false },
		{ "Cache-Control", H1_F_CACHE_CONTROL, false },
		{ "Hosts", H1_F_OTHER, false },
		{ "Hist", H1_F_OTHER, false },
		{ "Content-Lengtg", H1_F_OTHER, false },
		{ "A", H1_F_OTHER, false },
		{ "!#$%&'*+-.^_`|~09azAZ", H1_F_OTHER, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;
		char text[200];

		arena_init(&a, 65536);
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s: %s\r\n\r\n", rows[i].name,
		    rows[i].id == H1_F_CONTENT_LENGTH ? "1"
			: rows[i].id == H1_F_TRANSFER_ENCODING ? "chunked" : "x");
		cr_assert_eq(h1_parse_response(&a, str_z(text), &limits, H1_GET, &h), OK, "%s",
		    rows[i].name);
		cr_assert_eq(h.n_fields, 1);
		cr_assert_eq(h.fields[0].id, rows[i].id, "%s", rows[i].name);
		cr_assert_eq(h.fields[0].hop, rows[i].hop, "%s", rows[i].name);
		arena_fini(&a);
	}
}

Test(h1, refuses_malformed_request_lines)
{
	static const struct refusal rows[] = {
		ROW("GET /\r\n\r\n", ERR_HTTP_LINE), /* HTTP/0.9 */
		ROW("GET / HTTP/1.1 \r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET  / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET /  HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET /a b HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW(" GET / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET\t/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET /\tHTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("G(T / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET: / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET\r\n\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1.1\n", ERR_HTTP_LINE), /* bare LF */
		ROW("\nGET / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("\rGET / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1.1\r" H "\r\n\r\n", ERR_HTTP_LINE), /* bare CR */
		ROW("GET / http/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1.10\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1,1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/01.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/x.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTPS/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1.\r\n\r\n", ERR_HTTP_LINE),
		ROW("GET / HTTP/1.2\r\n" H "\r\n", ERR_HTTP_VERSION),
		ROW("GET / HTTP/1.9\r\n" H "\r\n", ERR_HTTP_VERSION),
		ROW("GET / HTTP/0.9\r\n" H "\r\n", ERR_HTTP_VERSION),
		ROW("GET / HTTP/2.0\r\n" H "\r\n", ERR_HTTP_VERSION),
		ROW("GET / HTTP/3.1\r\n" H "\r\n", ERR_HTTP_VERSION),
		ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION),
		ROW("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
		ROW("G\0T / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_LINE),
	};

	REFUSE_ALL(rows);
}

Test(h1, refuses_targets_two_servers_could_read_differently)
{
	static const struct refusal rows[] = {
		ROW("GET /#a HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET /\0 HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET /\x7f HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET /\x01 HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET /\ra HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET a HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET ?a HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET * HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("OPTIONS ** HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET a.example:80 HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET matrix-federation://a.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET ftp://a.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https:/a.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https:///x HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https:// HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https://u@a.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https://a.example\\@b.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https://a.example:x/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("GET https://b.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_HOST),
		ROW("GET https://a.example:443/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_HOST),
		ROW("CONNECT / HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("CONNECT a.example:443 HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n",
		    ERR_HTTP_FRAMING),
		ROW("CONNECT a.example HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("CONNECT https://a.example/ HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
		ROW("CONNECT a.example:65536 HTTP/1.1\r\n" H "\r\n", ERR_HTTP_TARGET),
	};

	REFUSE_ALL(rows);
}

Test(h1, takes_every_form_of_target_where_it_belongs)
{
	static const struct {
		struct str head;
		struct str target, authority;
	} rows[] = {
		ROW("GET /a\\b\"[]|{}^` HTTP/1.1\r\n" H "\r\n", { "/a\\b\"[]|{}^`", 12 }, { "", 0 }),
		ROW("GET //a?? HTTP/1.1\r\n" H "\r\n", { "//a??", 5 }, { "", 0 }),
		ROW("OPTIONS * HTTP/1.1\r\n" H "\r\n", { "*", 1 }, { "", 0 }),
		ROW("GET https://a.example/x?y HTTP/1.1\r\n" H "\r\n", { "/x?y", 4 },
		    { "a.example", 9 }),
		ROW("GET HTTP://A.Example/x HTTP/1.1\r\n" H "\r\n", { "/x", 2 }, { "A.Example", 9 }),
		ROW("GET https://a.example HTTP/1.1\r\n" H "\r\n", { "/", 1 }, { "a.example", 9 }),
		ROW("GET https://a.example?y HTTP/1.1\r\n" H "\r\n", { "/?y", 3 }, { "a.example", 9 }),
		ROW("OPTIONS https://a.example HTTP/1.1\r\n" H "\r\n", { "*", 1 }, { "a.example", 9 }),
		ROW("OPTIONS https://a.example/ HTTP/1.1\r\n" H "\r\n", { "/", 1 },
		    { "a.example", 9 }),
		ROW("CONNECT b.example:443 HTTP/1.1\r\n" H "\r\n", { "b.example:443", 13 },
		    { "b.example:443", 13 }),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_assert_eq(request(&a, rows[i].head, &limits, &h), OK, "row %zu", i);
		cr_assert(str_eq(h.target, rows[i].target), "row %zu: " STR_FMT, i, STR_ARG(h.target));
		cr_assert(str_eq(h.authority, rows[i].authority), "row %zu", i);
		arena_fini(&a);
	}
}

Test(h1, refuses_malformed_fields)
{
	static const struct refusal rows[] = {
		ROW(GET "a\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET ": a\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a : b\r\n\r\n", ERR_HTTP_FIELD), /* blank before the colon */
		ROW(GET "a\t: b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET " a: b\r\n\r\n", ERR_HTTP_FIELD),       /* obs-fold */
		ROW(GET "a: b\r\n c\r\n\r\n", ERR_HTTP_FIELD),  /* obs-fold */
		ROW(GET "a: b\r\n\tc\r\n\r\n", ERR_HTTP_FIELD), /* obs-fold */
		ROW("GET / HTTP/1.1\r\n " H "\r\n", ERR_HTTP_FIELD),
		ROW(GET "a(: b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a\xc3\xa4: b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a\0: b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: b\0c\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: 01234567890123456789\0c\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: 0123456789\x7f" "0123456789\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: 0123456789\x1f" "0123456789\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: b\rc: d\r\n\r\n", ERR_HTTP_FIELD), /* bare CR */
		ROW(GET "a: b\r\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: b\n", ERR_HTTP_FIELD), /* bare LF */
		ROW(GET "\n", ERR_HTTP_FIELD),
		ROW("GET / HTTP/1.1\r\nHost: a.example\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "\ra: b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "a: \x0b\r\n\r\n", ERR_HTTP_FIELD),
	};

	REFUSE_ALL(rows);
}

Test(h1, refuses_every_doubt_about_the_length_of_a_request)
{
	static const struct refusal rows[] = {
		ROW(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5, 5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5,\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5 5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: +5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: -5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 0x5\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 5.0\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: \"5\"\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: \xb2\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length:\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Content-Length: 18446744073709551616\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		    ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
		    ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked, identity\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: identity, chunked\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked, chunked\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked,\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunked;a=b\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: xchunked\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: chunke\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: \"chunked\"\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: identity\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding:\r\n\r\n", ERR_HTTP_FRAMING),
		ROW(GET "Transfer-Encoding: \x0b" "chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "Transfer-Encoding : chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "Transfer-Encoding\x0b: chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET " Transfer-Encoding: chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "X: a\nTransfer-Encoding: chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "Transfer-Encoding:\r\n chunked\r\n\r\n", ERR_HTTP_FIELD),
		ROW("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", ERR_HTTP_FRAMING),
	};

	REFUSE_ALL(rows);
}

Test(h1, knows_the_length_of_a_request)
{
	static const struct {
		struct str head;
		enum h1_framing framing;
		uint64_t length;
	} rows[] = {
		ROW(GET "\r\n", H1_NO_BODY, 0),
		ROW(GET "Content-Length: 0\r\n\r\n", H1_LENGTH, 0),
		ROW(GET "Content-Length:\t007 \r\n\r\n", H1_LENGTH, 7),
		ROW(GET "Content-Length: 18446744073709551615\r\n\r\n", H1_LENGTH, UINT64_MAX),
		ROW(GET "Transfer-Encoding: chunked\r\n\r\n", H1_CHUNKED, 0),
		ROW(GET "transfer-encoding:CHUNKED\t \r\n\r\n", H1_CHUNKED, 0),
		ROW("POST / HTTP/1.0\r\n" H "\r\n", H1_NO_BODY, 0),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_assert_eq(request(&a, rows[i].head, &limits, &h), OK, "row %zu", i);
		cr_assert_eq(h.framing, rows[i].framing, "row %zu", i);
		cr_assert_eq(h.length, rows[i].length, "row %zu", i);
		arena_fini(&a);
	}
}

Test(h1, wants_exactly_one_well_formed_host)
{
	static const struct refusal rows[] = {
		ROW("GET / HTTP/1.1\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.0\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET https://a.example/ HTTP/1.1\r\n\r\n", ERR_HTTP_HOST),
		ROW(GET H "\r\n", ERR_HTTP_HOST),
		ROW(GET "Host: b.example\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a:8 0\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: []\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", ERR_HTTP_HOST),
		ROW("GET / HTTP/1.1\r\nHost : a\r\n\r\n", ERR_HTTP_FIELD),
	};
	static const char *const good[] = { "a", "a.example.", "A-1.example:8448", "127.0.0.1:80",
		"[::1]", "[2001:DB8::1]:443", "[::ffff:1.2.3.4]" };

	REFUSE_ALL(rows);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct arena a;
		struct h1_head h;
		char text[100];

		arena_init(&a, 65536);
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
		cr_assert_eq(request(&a, str_z(text), &limits, &h), OK, "%s", good[i]);
		cr_assert(str_eq(h.host, str_z(good[i])));
		arena_fini(&a);
	}
}

Test(h1, hides_fields_named_in_connection)
{
	struct arena a;
	struct h1_head h;
	const struct h1_field *f;

	arena_init(&a, 65536);
	cr_assert_eq(request(&a,
			 STR(GET "X-A: 1\r\nConnection: x-a ,, close\r\nCookie: 2\r\nX-B: 3\r\n"
				 "connection: COOKIE\r\nX-A: 4\r\nX-Real-IP: 5\r\nX-Real-IP: 6\r\n\r\n"),
			 &limits, &h),
	    OK);
	cr_assert_not(h.keep_alive);
	cr_assert_null(h1_find(&h, H1_F_COOKIE));
	cr_assert_null(h1_find(&h, H1_F_CONNECTION));
	cr_assert(h.fields[1].hop);     /* X-A */
	cr_assert_not(h.fields[4].hop); /* X-B */
	cr_assert(h.fields[6].hop);     /* X-A again */
	f = h1_find(&h, H1_F_X_REAL_IP);
	cr_assert(str_eq(f->value, STR("5")));
	f = h1_next(&h, f);
	cr_assert(str_eq(f->value, STR("6")));
	cr_assert_null(h1_next(&h, f));
	arena_fini(&a);
}

Test(h1, refuses_connection_naming_what_must_stay)
{
	static const struct refusal rows[] = {
		ROW(GET "Connection: host\r\n\r\n", ERR_HTTP_CONNECTION),
		ROW(GET "Connection: close, Content-Length\r\n\r\n", ERR_HTTP_CONNECTION),
		ROW(GET "Connection: transfer-encoding\r\n\r\n", ERR_HTTP_CONNECTION),
		ROW(GET "Connection: close\r\nConnection: Authorization\r\n\r\n", ERR_HTTP_CONNECTION),
		ROW(GET "Connection: a b\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "Connection: \"close\"\r\n\r\n", ERR_HTTP_FIELD),
		ROW(GET "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
			"Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n",
		    ERR_HTTP_HEAD_SIZE),
	};

	REFUSE_ALL(rows);
}

Test(h1, keeps_the_connection_as_the_version_says)
{
	static const struct {
		struct str head;
		bool keep;
	} rows[] = {
		ROW(GET "\r\n", true),
		ROW(GET "Connection: Close\r\n\r\n", false),
		ROW(GET "Connection: keep-alive\r\n\r\n", true),
		ROW(GET "Connection: keep-alive, close\r\n\r\n", false),
		ROW(GET "Proxy-Connection: close\r\n\r\n", true),
		ROW("GET / HTTP/1.0\r\n" H "\r\n", false),
		ROW("GET / HTTP/1.0\r\n" H "Connection: Keep-Alive\r\n\r\n", true),
		ROW("GET / HTTP/1.0\r\n" H "Connection: Keep-Alive, close\r\n\r\n", false),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_assert_eq(request(&a, rows[i].head, &limits, &h), OK, "row %zu", i);
		cr_assert_eq(h.keep_alive, rows[i].keep, "row %zu", i);
		arena_fini(&a);
	}
}

Test(h1, knows_one_expectation)
{
	static const struct refusal rows[] = {
		ROW(GET "Expect: 200-ok\r\n\r\n", ERR_HTTP_EXPECT),
		ROW(GET "Expect:\r\n\r\n", ERR_HTTP_EXPECT),
		ROW(GET "Expect: 100-continue\r\nExpect: x\r\n\r\n", ERR_HTTP_EXPECT),
	};
	struct arena a;
	struct h1_head h;

	REFUSE_ALL(rows);
	arena_init(&a, 65536);
	cr_assert_eq(request(&a, STR(GET "Expect: 100-Continue\r\n\r\n"), &limits, &h), OK);
	cr_assert(h.expect_continue);
	cr_assert_eq(
	    request(&a, STR("GET / HTTP/1.0\r\n" H "Expect: x\r\n\r\n"), &limits, &h), OK);
	cr_assert_not(h.expect_continue);
	arena_fini(&a);
}

Test(h1, finds_the_end_of_a_head_however_it_arrives)
{
	struct str in = STR("\r\nGET / HTTP/1.1\r\n" H "A: b\r\n\r\nrest\r\n\r\n");
	size_t end = in.n - strlen("rest\r\n\r\n"), scanned;

	for (size_t first = 0; first <= end; first++)
		for (size_t second = first; second < end; second++) {
			scanned = 0;
			cr_assert_eq(h1_head_end(str_of(in.p, first), &scanned), first == end ? end : 0);
			cr_assert_eq(h1_head_end(str_of(in.p, second), &scanned), 0);
			cr_assert_eq(h1_head_end(in, &scanned), end);
		}
}

Test(h1, recognises_early_what_can_never_become_a_request)
{
	static const struct refusal rows[] = {
		ROW("", OK),
		ROW("\r", OK),
		ROW("\r\n", OK),
		ROW("\r\nGE", OK),
		ROW("GET", OK),
		ROW("GET ", OK),
		ROW("PRI", OK),
		ROW("PRI /", OK),
		ROW("GET /a HTTP/1.1\r\nHost", OK),
		ROW("\x16\x03\x01", ERR_HTTP_LINE),
		ROW("\rX", ERR_HTTP_LINE),
		ROW(" GET", ERR_HTTP_LINE),
		ROW("\r\n\r", ERR_HTTP_LINE),
		ROW("GET\r", ERR_HTTP_LINE),
		ROW("GET\t/", ERR_HTTP_LINE),
		ROW("PRI * HTTP/2.0\r\n", ERR_HTTP_LINE),
		ROW("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD", ERR_HTTP_LINE),
		ROW("GET /23456789012345678", OK),
		ROW("GET /2345678901234567 HTTP/1.1\r\nA: b", OK),
		ROW("GET /23456789012345678901", ERR_HTTP_TARGET_SIZE),
		ROW("GET /23456789012345678901 HTTP/1.1\r\n", ERR_HTTP_TARGET_SIZE),
		ROW("GET / HTTP/1.1\r\nAAAAAAAAAAAAAAAAAAAAAAAAA", ERR_HTTP_HEAD_SIZE),
	};
	static const struct h1_limits small = { .head_max = 40, .target_max = 20, .fields_max = 3 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(h1_head_early(rows[i].head, &small), rows[i].err, "row %zu: %s", i,
		    err_name(h1_head_early(rows[i].head, &small)));
}

Test(h1, keeps_to_its_limits)
{
	static const struct refusal rows[] = {
		ROW("GET /2345678901234567890 HTTP/1.1\r\nHost: a\r\n\r\n", OK),
		ROW("GET /23456789012345678901 HTTP/1.1\r\nHost: a\r\n\r\n", ERR_HTTP_TARGET_SIZE),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\n\r\n", OK),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\nd:\r\n\r\n", ERR_HTTP_HEAD_SIZE),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nb: 012345678901234567890123456789\r\n\r\n",
		    ERR_HTTP_HEAD_SIZE),
	};
	static const struct h1_limits small = { .head_max = 60, .target_max = 20, .fields_max = 3 };
	struct arena a;
	struct h1_head h;

	arena_init(&a, 65536);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(request(&a, rows[i].head, &small, &h), rows[i].err, "row %zu", i);
	arena_fini(&a);
	arena_init(&a, 16);
	cr_expect_eq(request(&a, STR(GET "\r\n"), &limits, &h), ERR_MEMORY);
	arena_fini(&a);
}

Test(h1, never_takes_more_fields_than_its_ceiling)
{
	static const struct h1_limits wide = { 65536, 4096, SIZE_MAX };
	char text[8192];
	struct arena a;
	struct h1_head h;
	int n = snprintf(text, sizeof(text), GET);

	for (int i = 1; i < H1_FIELDS_CEILING; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "a: %d\r\n", i);
	arena_init(&a, 1 << 20);
	memcpy(text + n, "\r\n", 3);
	cr_assert_eq(request(&a, str_z(text), &wide, &h), OK);
	cr_assert_eq(h.n_fields, H1_FIELDS_CEILING);
	memcpy(text + n, "b:\r\n\r\n", 7);
	cr_assert_eq(request(&a, str_z(text), &wide, &h), ERR_HTTP_HEAD_SIZE);
	arena_fini(&a);
}

Test(h1, frames_a_response_by_status_and_by_what_was_asked)
{
	static const struct {
		struct str head;
		enum h1_method to;
		enum h1_framing framing;
		uint64_t length;
		bool keep;
	} rows[] = {
		ROW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", H1_GET, H1_LENGTH, 5, true),
		ROW("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", H1_GET, H1_CHUNKED, 0, true),
		ROW("HTTP/1.1 200 OK\r\n\r\n", H1_GET, H1_UNTIL_CLOSE, 0, false),
		ROW("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", H1_GET, H1_UNTIL_CLOSE, 0,
		    false),
		ROW("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", H1_GET, H1_LENGTH, 5, false),
		ROW("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", H1_GET,
		    H1_LENGTH, 5, true),
		ROW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", H1_HEAD, H1_NO_BODY, 5, true),
		ROW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_HEAD, H1_NO_BODY, 0,
		    true),
		ROW("HTTP/1.1 200 OK\r\n\r\n", H1_HEAD, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 200 OK\r\n\r\n", H1_CONNECT, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n", H1_CONNECT, H1_LENGTH, 2, true),
		ROW("HTTP/1.1 100 Continue\r\n\r\n", H1_PUT, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 103 Early Hints\r\n\r\n", H1_PUT, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 204 No Content\r\n\r\n", H1_PUT, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", H1_PUT, H1_NO_BODY, 0, true),
		ROW("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", H1_GET, H1_NO_BODY, 9,
		    true),
		ROW("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", H1_GET, H1_NO_BODY, 0,
		    false),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_assert_eq(h1_parse_response(&a, rows[i].head, &limits, rows[i].to, &h), OK, "row %zu",
		    i);
		cr_expect_eq(h.framing, rows[i].framing, "row %zu", i);
		cr_expect_eq(h.length, rows[i].length, "row %zu", i);
		cr_expect_eq(h.keep_alive, rows[i].keep, "row %zu", i);
		arena_fini(&a);
	}
}

Test(h1, reads_status_lines_with_and_without_a_reason)
{
	static const struct {
		struct str head;
		int status;
		struct str reason;
	} rows[] = {
		ROW("HTTP/1.1 404 Not Found\r\n\r\n", 404, { "Not Found", 9 }),
		ROW("HTTP/1.0 599 \r\n\r\n", 599, { "", 0 }),
		ROW("HTTP/1.1 200\r\n\r\n", 200, { "", 0 }),
		ROW("HTTP/1.1 200 \xc3\xa4\r\n\r\n", 200, { "\xc3\xa4", 2 }),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_assert_eq(h1_parse_response(&a, rows[i].head, &limits, H1_GET, &h), OK, "row %zu", i);
		cr_assert_eq(h.status, rows[i].status);
		cr_assert(str_eq(h.reason, rows[i].reason));
		arena_fini(&a);
	}
}

Test(h1, refuses_unusable_responses)
{
	static const struct str rows[] = {
		STR("HTTP/1.1 099 x\r\n\r\n"),
		STR("HTTP/1.1 600 x\r\n\r\n"),
		STR("HTTP/1.1 20 x\r\n\r\n"),
		STR("HTTP/1.1 2000 x\r\n\r\n"),
		STR("HTTP/1.1 2x0 x\r\n\r\n"),
		STR("HTTP/1.1  200 x\r\n\r\n"),
		STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
		STR("HTTP/2.0 200 x\r\n\r\n"),
		STR("HTTP/1.2 200 x\r\n\r\n"),
		STR("http/1.1 200 x\r\n\r\n"),
		STR("ICY 200 OK......\r\n\r\n"),
		STR("\r\nHTTP/1.1 200 OK\r\n\r\n"),
		STR("\r\n\r\n"),
		STR("HTTP/1.1 200 a\rb\r\n\r\n"),
		STR("HTTP/1.1 200 a\0b\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nA: b\n"),
		STR("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
		STR("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		STR("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
		STR("HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\n"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct h1_head h;

		arena_init(&a, 65536);
		cr_expect_eq(h1_parse_response(&a, rows[i], &limits, H1_GET, &h), ERR_UPSTREAM_BAD,
		    "row %zu: " STR_FMT, i, STR_ARG(rows[i]));
		arena_fini(&a);
	}
}

Test(h1, writes_chunk_heads)
{
	char out[20];

	cr_assert(str_eq(str_of(out, h1_chunk_head(out, 0)), STR("0\r\n")));
	cr_assert(str_eq(str_of(out, h1_chunk_head(out, 0x1f4)), STR("1f4\r\n")));
	cr_assert(str_eq(str_of(out, h1_chunk_head(out, 16)), STR("10\r\n")));
	cr_assert(str_eq(str_of(out, h1_chunk_head(out, UINT64_MAX)), STR("ffffffffffffffff\r\n")));
}

Test(h1, names_the_statuses_it_knows)
{
	cr_assert_str_eq(h1_reason(403), "Forbidden");
	cr_assert_str_eq(h1_reason(421), "Misdirected Request");
	cr_assert_str_eq(h1_reason(299), "");
	cr_assert_str_eq(h1_reason(-1), "");
	cr_assert_str_eq(h1_reason(600), "");
	for (int e = 0; e < ERR_COUNT; e++) /* every answer of ours has its text */
		if (err_rows[e].status != 0)
			cr_expect_str_neq(h1_reason(err_rows[e].status), "", "%s", err_name(e));
}
