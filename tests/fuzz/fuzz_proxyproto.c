/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_proxyproto - an input is the beginning of a connection.
 *
 * Beyond memory errors it looks for verdicts that depend on how the bytes arrive: every beginning of
 * a good header needs more, a bad one never becomes good, and what follows a header changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/proxyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static void
check_good(struct str in, const struct proxyproto *h)
{
	struct proxyproto again;

	CHECK(h->length > 0 && h->length <= in.n && h->length <= PROXYPROTO_MAX);
	CHECK(!h->named || h->client.len > 0);
	for (size_t n = 0; n < h->length; n++)
		CHECK(proxyproto_parse(str_of(in.p, n), &again) == PROXYPROTO_MORE);
	CHECK(proxyproto_parse(str_of(in.p, h->length), &again) == PROXYPROTO_GOOD);
	CHECK(again.length == h->length && again.named == h->named);
	CHECK(memcmp(&again.client, &h->client, sizeof(h->client)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size < 2 * PROXYPROTO_MAX ? size : 2 * PROXYPROTO_MAX);
	struct proxyproto h;
	enum proxyproto_verdict verdict = proxyproto_parse(in, &h), before;
	bool bad = false;

	if (verdict == PROXYPROTO_GOOD) {
		check_good(in, &h);
		return 0;
	}
	CHECK(verdict == PROXYPROTO_BAD || in.n < PROXYPROTO_MAX);
	for (size_t n = 0; n <= in.n; n++) {
		before = proxyproto_parse(str_of(in.p, n), &h);
		CHECK(before == PROXYPROTO_BAD || (before == PROXYPROTO_MORE && !bad));
		bad |= before == PROXYPROTO_BAD;
	}
	CHECK(bad == (verdict == PROXYPROTO_BAD));
	return 0;
}
