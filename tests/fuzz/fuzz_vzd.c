/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vzd - answers of the VZD: tokens, certificates, places.
 *
 * What is accepted stays within its bounds, and a token can stand in a header field.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/jose/bearer.h"
#include "regsvc/vzd_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_token(struct str body)
{
	struct bearer t = { 0 };

	if (bearer_read(&t, body, 0, 30000, 60000) == OK) {
		check(t.text[0] != '\0' && strlen(t.text) <= body.n);
		check(t.until <= UINT64_C(7) * 24 * 3600 * 1000);
		for (const char *p = t.text; *p != '\0'; p++)
			check(*p > ' ' && *p <= '~');
	}
	bearer_drop(&t);
}

static void
check_certificates(struct str body)
{
	struct str pem[4];
	size_t n = 0;
	char *buf = malloc(body.n + 1);
	bool inside;

	check(buf != NULL);
	if (vzd_read_certificates(body, buf, pem, 4, &n)) {
		check(n <= 4);
		for (size_t i = 0; i < n; i++) {
			inside = (pem[i].p >= body.p && pem[i].p + pem[i].n <= body.p + body.n) ||
				 (pem[i].p >= buf && pem[i].p + pem[i].n <= buf + body.n);
			check(pem[i].n == 0 || inside);
		}
	}
	free(buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = str_of((const char *)data, size);
	enum vzd_place place;

	check_token(body);
	check_certificates(body);
	if (vzd_read_place(body, &place))
		check(place <= VZD_ORG_PRACT);
	return 0;
}
