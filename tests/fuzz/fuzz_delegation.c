/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_delegation - answers of .well-known/matrix/server: the first line is Cache-Control, the
 * second Expires, the rest the body.
 *
 * What is accepted is a server name whose discovery goes on; whatever the headers say, the time is
 * within bounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/matrix/delegation.h"
#include "lib/matrix/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1700000000)
#define MINUTE ((clock_ms)60000)

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_name(struct str to)
{
	struct server_name n;
	enum discovery_step step;

	check(to.n <= NAME_MAX_LEN && to.p[to.n] == '\0' && name_parse(to, &n));
	step = discovery_first(&n, true);
	check(step == DISCOVERY_DIRECT || step == DISCOVERY_SRV_FED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str cache_control, expires, body = str_of((const char *)data, size), to;
	char first[FETCH_HEADER_MAX], second[FETCH_HEADER_MAX], out[NAME_MAX_LEN + 1];
	clock_ms lifetime;

	str_cut(body, '\n', &cache_control, &body);
	str_cut(body, '\n', &expires, &body);
	snprintf(first, sizeof(first), STR_FMT, STR_ARG(cache_control));
	snprintf(second, sizeof(second), STR_FMT, STR_ARG(expires));
	lifetime = delegation_lifetime(first, second, NOW);
	check(lifetime >= 5 * MINUTE && lifetime <= 48 * 60 * MINUTE);
	check(delegation_jitter(lifetime) <= lifetime);
	to = delegation_read(body, out);
	if (to.n > 0)
		check_name(to);
	return 0;
}
