/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dnsanswer - DNS messages of any kind.
 *
 * Records counted have room in the message, times have 31 bits, and what was not found counts as 0.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/net/dnsanswer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = str_of((const char *)data, size);
	struct dnsanswer a = dnsanswer_read(message, DNS_TYPE_SRV);
	struct dnsanswer b = dnsanswer_read(message, DNS_TYPE_A);

	check(a.n * 11 <= size);
	check(a.n == 0 || a.has_ttl);
	check(a.has_ttl || a.ttl == 0);
	check(a.has_negative || a.negative == 0);
	check(a.ttl <= INT32_MAX && a.negative <= INT32_MAX);
	check(a.ttl == b.ttl && a.negative == b.negative); /* whatever was asked for */
	return 0;
}
