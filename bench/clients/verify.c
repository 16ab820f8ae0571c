/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify - how many signatures per second libsodium verifies, alone on the core it is put on.
 *
 * It verifies what the measured proxy verifies: the canonical JSON objects of the prepared
 * requests, one per line, as "signature(hex) object".  All are verified in turn until the time is
 * over.
 *
 * usage: verify PUBLIC-KEY(hex) FILE SECONDS
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clients/client.h"

struct item {
	unsigned char signature[crypto_sign_BYTES];
	char *object;
	size_t n;
};

static struct item *items;
static size_t n_items;

static bool
from_hex(unsigned char *out, size_t n, const char *hex)
{
	size_t got;

	return strlen(hex) >= 2 * n && sodium_hex2bin(out, n, hex, 2 * n, NULL, &got, NULL) == 0 &&
	       got == n;
}

static void
load(const char *path)
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while (in != NULL && (n = getline(&line, &room, in)) > 0) {
		struct item *it;
		char *space = strchr(line, ' ');

		line[n - 1] = '\0';
		items = reallocarray(items, n_items + 1, sizeof(*items));
		if (items == NULL || space == NULL)
			break;
		it = &items[n_items];
		if (!from_hex(it->signature, sizeof(it->signature), line))
			break;
		it->object = strdup(space + 1);
		it->n = strlen(space + 1);
		n_items++;
	}
	if (in == NULL || !feof(in) || n_items == 0) {
		fprintf(stderr, "verify: cannot use %s\n", path);
		exit(1);
	}
	free(line);
	fclose(in);
}

int
main(int argc, char **argv)
{
	unsigned char key[crypto_sign_PUBLICKEYBYTES];
	uint64_t began, until, n = 0, bad = 0;

	if (argc != 4 || sodium_init() < 0 || !from_hex(key, sizeof(key), argv[1])) {
		fprintf(stderr, "usage: verify PUBLIC-KEY FILE SECONDS\n");
		return 2;
	}
	load(argv[2]);
	began = now_us();
	until = began + (uint64_t)argument(argv[3], "SECONDS", 1, 600) * 1000000;
	for (; now_us() < until; n++) {
		const struct item *it = &items[n % n_items];

		bad += crypto_sign_verify_detached(
			   it->signature, (const unsigned char *)it->object, it->n, key) != 0;
	}
	printf(
	    "RESULT {\"requests\": %llu, \"seconds\": %.6f, \"bad_status\": %llu, \"broken\": 0}\n",
	    (unsigned long long)n, (double)(now_us() - began) / 1e6, (unsigned long long)bad);
	for (size_t i = 0; i < n_items; i++)
		free(items[i].object);
	free(items);
	return 0;
}
