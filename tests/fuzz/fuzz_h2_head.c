/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h2_head - an input is the fields of an HTTP/2 request: each a byte with the length of the
 * name, the name, a byte with the length of the value, the value.  The first byte of all says
 * whether a body follows.
 *
 * Beyond memory errors it looks for requests that mean something else, or nothing, once they are
 * written as HTTP/1.1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/http/h2_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static const struct h1_limits limits = { .head_max = 2048, .target_max = 512, .fields_max = 32 };

static struct str
take(struct str *in)
{
	size_t n = in->n > 0 ? (unsigned char)in->p[0] : 0;
	struct str out;

	if (in->n > 0)
		*in = str_from(*in, 1);
	if (n > in->n)
		n = in->n;
	out = str_of(in->p, n);
	*in = str_from(*in, n);
	return out;
}

static void
put(struct buf *b, struct str s)
{
	if (!buf_put(b, s))
		abort();
}

/* What forward would send, its framing included. */
static void
write_h1(struct buf *b, const struct h1_head *h)
{
	put(b, h->method_text);
	put(b, STR(" "));
	put(b, h->target);
	put(b, STR(" HTTP/1.1\r\n"));
	for (size_t i = 0; i < h->n_fields; i++) {
		if (h->fields[i].hop)
			continue;
		put(b, h->fields[i].name);
		put(b, STR(": "));
		put(b, h->fields[i].value);
		put(b, STR("\r\n"));
	}
	if (h->framing == H1_CHUNKED)
		put(b, STR("Transfer-Encoding: chunked\r\n"));
	put(b, STR("\r\n"));
}

static void
check_written(const struct h1_head *h)
{
	static const struct h1_limits wide = { 65536, 32768, H1_FIELDS_CEILING };
	struct h1_head again;
	struct arena a;
	struct buf b;
	size_t scanned = 0, at = 0;

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	write_h1(&b, h);
	CHECK(h1_head_end(buf_str(&b), &scanned) == buf_len(&b));
	CHECK(h1_parse_request(&a, buf_str(&b), &wide, &again) == OK);
	CHECK(again.method == h->method && str_eq(again.method_text, h->method_text));
	CHECK(str_eq(again.target, h->target) && str_eq(again.host, h->host));
	CHECK(again.framing == h->framing && again.length == h->length);
	for (size_t i = 0; i < h->n_fields; i++) {
		if (h->fields[i].hop)
			continue;
		CHECK(str_eq(again.fields[at].name, h->fields[i].name));
		CHECK(str_eq(again.fields[at].value, h->fields[i].value));
		CHECK(again.fields[at].id == h->fields[i].id && !again.fields[at].hop);
		at++;
	}
	CHECK(again.n_fields == at + (h->framing == H1_CHUNKED));
	arena_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct h1_head head;
	struct h2_head h;
	struct arena a;
	bool body, read = true;

	if (size == 0)
		return 0;
	body = in.p[0] & 1;
	in = str_from(in, 1);
	arena_init(&a, 1 << 20);
	h2_head_begin(&h, &a, &limits, true, &head);
	while (in.n > 0 && read) {
		struct str name = take(&in), value = take(&in);

		read = h2_head_add(&h, name, value);
		(void)h2_head_trailer(name, value);
	}
	if (h2_head_end(&h, body) == OK) {
		CHECK(read && head.n_fields <= limits.fields_max);
		CHECK(head.framing != H1_NO_BODY || !body);
		check_written(&head);
	} else {
		CHECK(head.framing == H1_NO_BODY && !head.expect_continue);
	}
	arena_fini(&a);
	return 0;
}
