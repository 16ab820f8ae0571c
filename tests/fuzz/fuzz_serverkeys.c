/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_serverkeys - key answers of any kind, directly and through a notary.
 *
 * What is accepted holds a bounded number of ed25519 keys, each found by its ID until its time is
 * over.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/matrix/serverkeys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1700000000000)

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_keys(struct serverkeys *k)
{
	int64_t end = serverkeys_valid_until_ms(k);

	check(k->fact.err == OK && k->count > 0 && k->count <= SERVERKEYS_MAX);
	check(end > NOW && end <= NOW + SERVERKEYS_VALID_MAX_MS);
	for (size_t i = 0; i < k->count; i++) {
		check(str_has_prefix(k->keys[i].id, STR("ed25519:")));
		check(serverkeys_find(k, k->keys[i].id, end - 1) == k->keys[i].key);
		check(serverkeys_find(k, k->keys[i].id, end) == NULL);
	}
	snapshot_drop(&k->fact.snap);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size), name = STR("origin.hs.example.com");
	struct serverkeys *k;

	if (serverkeys_parse(in, name, NOW, &k) == OK)
		check_keys(k);
	if (serverkeys_from_notary(in, name, NOW, &k) == OK)
		check_keys(k);
	return 0;
}
