/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serverkeys - the signing keys a homeserver publishes (Matrix server-server API, "Retrieving
 * server keys"; FD-5.2.1.2-10).
 *
 * Pure: turns a key answer into a value that never changes, once everything about it was checked.
 * The caller of parse bounds the size of the text, and sets the lifetimes in `fact` before it is
 * shared.
 */
#ifndef SCHLEUSE_MATRIX_SERVERKEYS_H
#define SCHLEUSE_MATRIX_SERVERKEYS_H

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/fact/fact.h"

#define SERVERKEYS_MAX 32 /* verify_keys of one server */

/* Longer promises are cut, as the specification demands. */
#define SERVERKEYS_VALID_MAX_MS (INT64_C(7) * 86400 * 1000)

struct serverkey {
	struct str id; /* "ed25519:abc" */
	unsigned char key[32];
};

struct serverkeys {
	struct fact fact;       /* err == OK; the rest is zero */
	int64_t valid_until_ms; /* wall clock */
	size_t count;
	struct serverkey *keys;
};

/* The answer to GET /_matrix/key/v2/server.  Its server_name is the one asked for (in normal form),
 * it is still valid, its ed25519 keys have 32 bytes, at least one of them signed it, and every
 * signature by one of them verifies.  Keys of other algorithms and old_verify_keys are left out.
 * One reference in *out, for snapshot_drop().  ERR_KEYS_SHAPE, _NAME, _EXPIRED, _SIGNATURE,
 * ERR_MEMORY. */
enum err serverkeys_parse(
    struct str json, struct str server_name, int64_t now_ms, struct serverkeys **out) MUST_CHECK;

/* The same for one server out of a notary's answer {"server_keys":[...]}; the server's own
 * signature is what counts.  Of several good ones, that valid longest.  ERR_NOT_FOUND: the server
 * is not among them. */
enum err serverkeys_from_notary(
    struct str json, struct str server_name, int64_t now_ms, struct serverkeys **out) MUST_CHECK;

/* The 32 bytes of a key, as long as k is held; NULL if none has this ID or its time is over. */
const unsigned char *serverkeys_find(const struct serverkeys *k, struct str key_id, int64_t now_ms);

int64_t serverkeys_valid_until_ms(const struct serverkeys *k);

#endif
