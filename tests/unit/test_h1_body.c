/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of HTTP/1.1 messages: which bytes are body, where it ends, what is refused. */
#include <criterion/criterion.h>

#include "lib/base/buf.h"
#include "lib/http/h1.h"

/* Decodes `in` in pieces of `step` bytes; *rest: bytes behind the end of the body. */
static enum err
decode(struct h1_body *b, struct str in, size_t step, struct buf *out, size_t *rest)
{
	size_t at = 0, end = 0, used;
	struct str data;
	enum err err;

	while (end < in.n) {
		end = in.n - end > step ? end + step : in.n;
		do {
			err = h1_body_decode(b, str_of(in.p + at, end - at), &used, &data);
			if (err != OK)
				return err;
			cr_assert_leq(data.n, used);
			cr_assert(buf_put(out, data));
			at += used;
		} while (used > 0);
	}
	*rest = in.n - at;
	return OK;
}

static struct h1_body
body(enum h1_framing framing, uint64_t length, uint64_t max)
{
	struct h1_head h = { .framing = framing, .length = length };
	struct h1_body b;

	h1_body_init(&b, &h, max);
	return b;
}

#define LIT(literal) { literal, sizeof(literal) - 1 }

Test(h1_body, decodes_every_framing_at_every_step)
{
	static const struct {
		enum h1_framing framing;
		uint64_t length;
		struct str in, data;
		size_t rest;
		bool done;
	} rows[] = {
		{ H1_NO_BODY, 0, LIT("next"), LIT(""), 4, true },
		{ H1_LENGTH, 0, LIT("next"), LIT(""), 4, true },
		{ H1_LENGTH, 5, LIT("hellonext"), LIT("hello"), 4, true },
		{ H1_LENGTH, 6, LIT("hello"), LIT("hello"), 0, false },
		{ H1_UNTIL_CLOSE, 0, LIT("hello"), LIT("hello"), 0, false },
		{ H1_CHUNKED, 0, LIT("0\r\n\r\nnext"), LIT(""), 4, true },
		{ H1_CHUNKED, 0, LIT("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nnext"), LIT("hello world"), 4,
		    true },
		{ H1_CHUNKED, 0, LIT("0000000000000005\r\nhello\r\n000\r\n\r\n"), LIT("hello"), 0, true },
		{ H1_CHUNKED, 0, LIT("a\r\n0123456789\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"),
		    LIT("0123456789\r\n\r\n\r\n\r\n\r\n"), 0, true },
		{ H1_CHUNKED, 0, LIT("1;a\r\nx\r\n1;b=\"c\td\" ; e\r\ny\r\n0;\r\n\r\n"), LIT("xy"), 0, true },
		{ H1_CHUNKED, 0,
		    LIT("1\r\nx\r\n0\r\nA: b\r\nHostile:\r\nX-Content-Length-And-More-Than-Fits: 1\r\n"
			"Te: \t\xc3\xa4\r\n\r\nn"),
		    LIT("x"), 1, true },
		{ H1_CHUNKED, 0, LIT("5\r\nhel"), LIT("hel"), 0, false },
		{ H1_CHUNKED, 0, LIT("5\r\nhello\r\n0\r\n\r"), LIT("hello"), 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= rows[i].in.n; step++) {
			struct h1_body b = body(rows[i].framing, rows[i].length, UINT64_MAX);
			struct buf out;
			size_t rest;

			buf_init(&out, 65536);
			cr_assert_eq(decode(&b, rows[i].in, step, &out, &rest), OK, "row %zu/%zu", i,
			    step);
			cr_assert(str_eq(buf_str(&out), rows[i].data), "row %zu/%zu", i, step);
			cr_assert_eq(rest, rows[i].rest, "row %zu/%zu", i, step);
			cr_assert_eq(h1_body_done(&b), rows[i].done, "row %zu/%zu", i, step);
			cr_assert_eq(b.total, rows[i].data.n);
			buf_fini(&out);
		}
}

Test(h1_body, refuses_malformed_chunks_at_every_step)
{
	static const struct str rows[] = {
		LIT("\r\nhello"),
		LIT("+5\r\nhello\r\n0\r\n\r\n"),
		LIT("-5\r\nhello\r\n0\r\n\r\n"),
		LIT(" 5\r\nhello\r\n0\r\n\r\n"),
		LIT("5 \r\nhello\r\n0\r\n\r\n"),
		LIT("5\t;a\r\nhello\r\n0\r\n\r\n"),
		LIT("0x5\r\nhello\r\n0\r\n\r\n"),
		LIT("g\r\n"),
		LIT("5,5\r\nhello\r\n"),
		LIT(";a\r\n\r\n"),
		LIT("00000000000000005\r\nhello\r\n0\r\n\r\n"), /* 17 digits */
		LIT("10000000000000005\r\nhello\r\n0\r\n\r\n"), /* 2^64 + 5 */
		LIT("5\nhello\r\n0\r\n\r\n"),
		LIT("5\rhello\r\n0\r\n\r\n"),
		LIT("5\r\r\nhello\r\n0\r\n\r\n"),
		LIT("5;a\nhello\r\n0\r\n\r\n"),
		LIT("5;a\rb\r\nhello\r\n0\r\n\r\n"),
		LIT("5;\0\r\nhello\r\n0\r\n\r\n"),
		LIT("5;\x7f\r\nhello\r\n0\r\n\r\n"),
		LIT("5;\xc3\xa4\r\nhello\r\n0\r\n\r\n"),
		LIT("5\r\nhello0\r\n\r\n"), /* no CRLF behind the data */
		LIT("5\r\nhello\n0\r\n\r\n"),
		LIT("5\r\nhello\r0\r\n\r\n"),
		LIT("5\r\nhello!\r\n0\r\n\r\n"),
		LIT("5\r\nhello\r\n\r\n"),
		LIT("0\r\n\n"),
		LIT("0\r\n\rx"),
		LIT("0\r\n: b\r\n\r\n"),
		LIT("0\r\na\r\n\r\n"),
		LIT("0\r\na : b\r\n\r\n"),
		LIT("0\r\n a: b\r\n\r\n"),
		LIT("0\r\na: b\r\n c\r\n\r\n"),
		LIT("0\r\na: b\n\r\n"),
		LIT("0\r\na: \0\r\n\r\n"),
		LIT("0\r\na: b\rc\r\n\r\n"),
		LIT("0\r\nContent-Length: 5\r\n\r\n"),
		LIT("0\r\nConnection: close\r\n\r\n"),
		LIT("0\r\na: b\r\nTRANSFER-ENCODING: chunked\r\n\r\n"),
		LIT("0\r\nhost: a\r\n\r\n"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= rows[i].n; step++) {
			struct h1_body b = body(H1_CHUNKED, 0, UINT64_MAX);
			struct buf out;
			size_t rest, used;
			struct str data;

			buf_init(&out, 65536);
			cr_assert_eq(decode(&b, rows[i], step, &out, &rest), ERR_HTTP_CHUNK,
			    "row %zu/%zu", i, step);
			cr_assert_eq(h1_body_decode(&b, STR("0\r\n\r\n"), &used, &data), ERR_HTTP_CHUNK,
			    "row %zu recovered", i);
			cr_assert_not(h1_body_done(&b));
			cr_assert_not(h1_body_eof(&b));
			buf_fini(&out);
		}
}

/* Feeds `piece` up to `max` times; the number of pieces that were taken. */
static size_t
taken(struct str start, struct str piece, size_t max)
{
	struct h1_body b = body(H1_CHUNKED, 0, UINT64_MAX);
	struct buf out;
	size_t rest, n = 0;

	buf_init(&out, 65536);
	cr_assert_eq(decode(&b, start, 1, &out, &rest), OK);
	while (n < max && decode(&b, piece, piece.n, &out, &rest) == OK)
		n++;
	buf_fini(&out);
	return n;
}

Test(h1_body, bounds_extensions_and_trailers)
{
	cr_expect_eq(taken(STR("5;"), STR("x"), 1000), 256);
	cr_expect_eq(taken(STR(""), STR("1;2345678\r\nx\r\n"), 1000), 4096 / 7);
	cr_expect_eq(taken(STR("0\r\n"), STR("x"), 10000), 8192);
	cr_expect_eq(taken(STR("0\r\na:"), STR(" "), 10000), 8190);
	cr_expect_eq(taken(STR("0\r\n"), STR("a:\r\n"), 10000), 8192 / 3); /* LF is not counted */
}

Test(h1_body, refuses_what_exceeds_the_maximum_before_taking_it)
{
	static const struct {
		enum h1_framing framing;
		uint64_t length;
		struct str in;
		enum err err;
	} rows[] = {
		{ H1_LENGTH, 10, LIT("0123456789"), OK },
		{ H1_LENGTH, 11, LIT(""), ERR_BODY_SIZE },
		{ H1_LENGTH, UINT64_MAX, LIT("0"), ERR_BODY_SIZE },
		{ H1_CHUNKED, 0, LIT("a\r\n0123456789\r\n0\r\n\r\n"), OK },
		{ H1_CHUNKED, 0, LIT("b\r\n"), ERR_BODY_SIZE },
		{ H1_CHUNKED, 0, LIT("ffffffffffffffff\r\n"), ERR_BODY_SIZE },
		{ H1_CHUNKED, 0, LIT("5\r\n01234\r\n6\r\n"), ERR_BODY_SIZE },
		{ H1_CHUNKED, 0, LIT("5\r\n01234\r\nffffffffffffffff\r\n"), ERR_BODY_SIZE },
		{ H1_UNTIL_CLOSE, 0, LIT("0123456789"), OK },
		{ H1_UNTIL_CLOSE, 0, LIT("01234567890"), ERR_BODY_SIZE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= rows[i].in.n + 1; step++) {
			struct h1_body b = body(rows[i].framing, rows[i].length, 10);
			struct buf out;
			size_t rest, used;
			struct str data;
			enum err err;

			buf_init(&out, 65536);
			err = decode(&b, rows[i].in, step, &out, &rest);
			if (rows[i].in.n == 0)
				err = h1_body_decode(&b, rows[i].in, &used, &data);
			cr_assert_eq(err, rows[i].err, "row %zu/%zu: %s", i, step, err_name(err));
			cr_assert_leq(b.total, 10);
			buf_fini(&out);
		}
}

Test(h1_body, hands_out_slices_as_large_as_they_come)
{
	struct str in = STR("5\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\nnext"), data;
	struct h1_body b = body(H1_CHUNKED, 0, UINT64_MAX);
	size_t used;

	cr_assert_eq(h1_body_decode(&b, in, &used, &data), OK);
	cr_assert(str_eq(data, STR("hello")));
	cr_assert_eq(data.p, in.p + 3);
	in = str_from(in, used);
	cr_assert(str_has_prefix(in, STR(" world"))); /* the next head is behind us */
	cr_assert_eq(h1_body_decode(&b, in, &used, &data), OK);
	cr_assert(str_eq(data, STR(" world")));
	cr_assert(h1_body_done(&b)); /* and so is the end */
	in = str_from(in, used);
	cr_assert(str_eq(in, STR("next")));
	cr_assert_eq(h1_body_decode(&b, in, &used, &data), OK);
	cr_assert_eq(used, 0);
}

Test(h1_body, knows_which_ends_of_the_stream_are_proper)
{
	struct h1_body until_close = body(H1_UNTIL_CLOSE, 0, 10), length = body(H1_LENGTH, 5, 10),
		       chunked = body(H1_CHUNKED, 0, 10), none = body(H1_NO_BODY, 0, 10);

	cr_assert_not(h1_body_done(&until_close));
	cr_assert(h1_body_eof(&until_close));
	cr_assert(h1_body_done(&until_close));
	cr_assert_not(h1_body_eof(&length));
	cr_assert_not(h1_body_eof(&chunked));
	cr_assert(h1_body_eof(&none));
}
