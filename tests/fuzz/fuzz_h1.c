/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h1 - an input is a message as it comes from the wire: a response if it begins with "HTTP/",
 * else a request; what follows the head is its body.
 *
 * Beyond memory errors it looks for answers that depend on how the bytes arrive, and for requests
 * that mean something else once they are written down again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/http/h1.h"

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static const struct h1_limits limits = { .head_max = 8192, .target_max = 1024, .fields_max = 64 };

static size_t
find_end(struct str in)
{
	size_t whole = 0, pieces = 0, end = h1_head_end(in, &whole), n = 0;

	while (n < in.n && h1_head_end(str_of(in.p, n), &pieces) == 0)
		n++;
	CHECK(h1_head_end(str_of(in.p, n), &pieces) == 0 || n == end);
	CHECK(end != 0 || n == in.n);
	return end;
}

static void
put(struct buf *b, struct str s)
{
	if (!buf_put(b, s))
		abort();
}

static void
put_field(struct buf *b, struct str name, struct str value)
{
	put(b, name);
	put(b, STR(": "));
	put(b, value);
	put(b, STR("\r\n"));
}

/* What a proxy sends on must be read by the next server as it was read here. */
static void
check_rewritten(const struct h1_head *h)
{
	static const struct h1_limits wide = { 32768, 16384, H1_FIELDS_CEILING };
	struct h1_head again;
	struct arena a;
	struct buf b;
	size_t kept = 0, scanned = 0;

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	put(&b, h->method_text);
	put(&b, STR(" "));
	put(&b, h->target);
	put(&b, STR(" HTTP/1.1\r\n"));
	for (size_t i = 0; i < h->n_fields; i++) {
		if (h->fields[i].hop)
			continue;
		put_field(&b, h->fields[i].name, h->fields[i].value);
		kept++;
	}
	if (h->framing == H1_CHUNKED) {
		put_field(&b, STR("Transfer-Encoding"), STR("chunked"));
		kept++;
	}
	put(&b, STR("\r\n"));
	CHECK(h1_head_end(buf_str(&b), &scanned) == buf_len(&b));
	CHECK(h1_parse_request(&a, buf_str(&b), &wide, &again) == OK);
	CHECK(again.method == h->method && str_eq(again.method_text, h->method_text));
	CHECK(str_eq(again.target, h->target) && str_eq(again.host, h->host));
	CHECK(again.framing == h->framing && again.length == h->length);
	CHECK(again.n_fields == kept);
	arena_fini(&a);
	buf_fini(&b);
}

/* Decodes `in` in pieces of at most `step` bytes into `out`. */
static enum err
decode(const struct h1_head *h, struct str in, size_t first, size_t step, struct buf *out)
{
	struct h1_body body;
	size_t at = 0, end = first, used;
	struct str data;
	enum err err = OK;

	h1_body_init(&body, h, BODY_MAX);
	for (;;) {
		if (end > in.n)
			end = in.n;
		do {
			err = h1_body_decode(&body, str_of(in.p + at, end - at), &used, &data);
			if (err != OK)
				return err;
			CHECK(used <= end - at && data.n <= used);
			CHECK(data.n == 0 ||
			      (data.p >= in.p + at && data.p + data.n <= in.p + at + used));
			put(out, data);
			at += used;
		} while (used > 0);
		CHECK(body.total == buf_len(out) && body.total <= BODY_MAX);
		if (end == in.n)
			break;
		CHECK(at == end || h1_body_done(&body));
		end += step;
	}
	put(out, h1_body_done(&body) ? STR("done") : STR("more"));
	put(out, str_of(in.p + at, in.n - at));
	return OK;
}

static void
check_body(const struct h1_head *h, struct str in)
{
	struct buf whole, pieces;
	enum err err;
	size_t firsts[] = { 0, 1, in.n / 2, in.n > 0 ? (unsigned char)in.p[0] % in.n : 0, 3 };
	size_t steps[] = { 1, 7, in.n + 1, in.n + 1, 64 };

	buf_init(&whole, 1 << 24);
	err = decode(h, in, in.n, 1, &whole);
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		buf_init(&pieces, 1 << 24);
		CHECK(decode(h, in, firsts[i], steps[i], &pieces) == err);
		CHECK(err != OK || str_eq(buf_str(&whole), buf_str(&pieces)));
		buf_fini(&pieces);
	}
	buf_fini(&whole);
}

static void
fuzz_response(struct arena *a, struct str head, struct str rest)
{
	struct h1_head h;
	enum err err;

	for (enum h1_method to = H1_OTHER; to <= H1_TRACE; to++) {
		err = h1_parse_response(a, head, &limits, to, &h);
		CHECK(err == OK || err == ERR_UPSTREAM_BAD);
		if (err == OK && (to == H1_GET || to == H1_HEAD))
			check_body(&h, rest);
	}
}

static void
fuzz_request(struct arena *a, struct str head, struct str rest)
{
	struct h1_head h;

	if (h1_parse_request(a, head, &limits, &h) != OK)
		return;
	for (size_t n = 0; n < head.n; n += n < 64 ? 1 : 61)
		CHECK(h1_head_early(str_of(head.p, n), &limits) == OK);
	CHECK(h.host.n > 0 && h.target.n > 0 && h.method_text.n > 0);
	CHECK(h.framing != H1_UNTIL_CLOSE);
	check_rewritten(&h);
	check_body(&h, rest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct h1_head chunked = { .framing = H1_CHUNKED };
	size_t end = find_end(in);
	struct arena a;

	for (size_t n = 0; n < in.n && n < 64; n++)
		(void)!h1_head_early(str_of(in.p, n), &limits);
	arena_init(&a, 1 << 20);
	if (end > 0 && str_has_prefix(in, STR("HTTP/")))
		fuzz_response(&a, str_of(in.p, end), str_from(in, end));
	else if (end > 0)
		fuzz_request(&a, str_of(in.p, end), str_from(in, end));
	else /* so that a bare body is an input too */
		check_body(&chunked, in);
	arena_fini(&a);
	return 0;
}
