/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h1_proxy - an input is a request head to a forward proxy, or what CONNECT names.
 *
 * It looks for targets that mean something else once they are written down again, and for requests
 * that mean something else to a proxy than to a server.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static const struct h1_limits plain = { .head_max = 8192, .target_max = 1024, .fields_max = 64 };
static const struct h1_limits proxy = {
	.head_max = 8192, .target_max = 1024, .fields_max = 64, .proxy = true
};

static void
put(struct buf *b, struct str s)
{
	if (!buf_put(b, s))
		abort();
}

static struct str
scheme_text(enum h1_scheme s)
{
	switch (s) {
	case H1_HTTP:
		return STR("http://");
	case H1_HTTPS:
		return STR("https://");
	case H1_MATRIX_FEDERATION:
		return STR("matrix-federation://");
	default:
		return STR_NONE;
	}
}

/* A host that was found is one host whoever reads it, and with its port makes the same target. */
static void
fuzz_target(struct str in)
{
	struct str host, again;
	uint16_t port, port_again;
	struct in6_addr a;
	struct buf b;

	if (!h1_connect_target(in, &host, &port))
		return;
	CHECK(host.n > 0 && port > 0);
	CHECK(host.p >= in.p && host.p + host.n < in.p + in.n);
	for (size_t i = 0; i < host.n; i++)
		CHECK(
		    host.p[i] > ' ' && host.p[i] < 0x7f && strchr("@/?#%[]\\,", host.p[i]) == NULL);
	buf_init(&b, 1 << 20);
	if (str_chr(host, ':') != NULL) {
		put(&b, host);
		put(&b, str_of("", 1));
		CHECK(inet_pton(AF_INET6, buf_str(&b).p, &a) == 1);
		buf_consume(&b, buf_len(&b));
		put(&b, STR("["));
		put(&b, host);
		put(&b, STR("]"));
	} else {
		put(&b, host);
	}
	if (!buf_printf(&b, ":%u", (unsigned)port))
		abort();
	CHECK(h1_connect_target(buf_str(&b), &again, &port_again));
	CHECK(str_eq(again, host) && port_again == port);
	buf_fini(&b);
}

/* The parts of the target, put together, are read as the same parts. */
static void
check_rewritten(const struct h1_head *h)
{
	static const struct h1_limits wide = { 32768, 16384, H1_FIELDS_CEILING, true };
	struct h1_head again;
	struct arena a;
	struct buf b;
	size_t scanned = 0;

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	put(&b, h->method_text);
	put(&b, STR(" "));
	put(&b, scheme_text(h->scheme));
	if (h->scheme != H1_NO_SCHEME)
		put(&b, h->authority);
	if (h->scheme == H1_NO_SCHEME || !str_eq(h->target, STR("*")))
		put(&b, h->target);
	put(&b, STR(" HTTP/1.1\r\nHost: other.example:80\r\n\r\n"));
	CHECK(h1_head_end(buf_str(&b), &scanned) == buf_len(&b));
	CHECK(h1_parse_request(&a, buf_str(&b), &wide, &again) == OK);
	CHECK(again.method == h->method && again.scheme == h->scheme);
	CHECK(str_eq(again.target, h->target) && str_eq(again.authority, h->authority));
	arena_fini(&a);
	buf_fini(&b);
}

/* What a server takes means the same to a proxy; only of CONNECT a proxy asks for more. */
static void
check_as_server(struct arena *a, struct str head, const struct h1_head *h, enum err err)
{
	struct h1_head s;

	if (h1_parse_request(a, head, &plain, &s) != OK)
		return;
	CHECK(s.scheme != H1_MATRIX_FEDERATION);
	if (err != OK) {
		CHECK(s.method == H1_CONNECT && err == ERR_HTTP_TARGET);
		return;
	}
	CHECK(s.method == h->method && s.scheme == h->scheme && s.minor == h->minor);
	CHECK(str_eq(s.target, h->target) && str_eq(s.authority, h->authority));
	CHECK(str_eq(s.host, h->host) && s.n_fields == h->n_fields);
	CHECK(s.framing == h->framing && s.length == h->length && s.keep_alive == h->keep_alive);
}

static void
check_request(const struct h1_head *h)
{
	const struct h1_field *only = h1_only(h, H1_F_PROXY_AUTHORIZATION);
	struct str host;
	uint16_t port;

	CHECK(h->host.n > 0 || h->minor == 0);
	CHECK(only == NULL || only->hop);
	if (h->method == H1_CONNECT) {
		CHECK(h->scheme == H1_NO_SCHEME && h->framing == H1_NO_BODY);
		CHECK(h1_connect_target(h->authority, &host, &port));
	} else {
		CHECK((h->authority.n > 0) == (h->scheme != H1_NO_SCHEME));
		CHECK(h->target.p[0] == '/' || str_eq(h->target, STR("*")));
		CHECK(str_chr(h->authority, '@') == NULL);
	}
	check_rewritten(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	size_t scanned = 0, end = h1_head_end(in, &scanned);
	struct h1_head h;
	struct arena a;
	enum err err;

	fuzz_target(in);
	if (end == 0)
		return 0;
	arena_init(&a, 1 << 20);
	err = h1_parse_request(&a, str_of(in.p, end), &proxy, &h);
	if (err == OK)
		check_request(&h);
	check_as_server(&a, str_of(in.p, end), &h, err);
	arena_fini(&a);
	return 0;
}
