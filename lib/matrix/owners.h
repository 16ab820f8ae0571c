/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners - the reverse of discovery: which server names point to a host and port.
 *
 * A homeserver that asks for signing keys through a tunnel (CONNECT) names a host and a port and
 * signs nothing, so this tells for whom the request is.  Control thread.  Discovery notes what it
 * finds; what was noted is forgotten when the discovery would be, or when too many are known, those
 * noted longest ago first.
 */
#ifndef SCHLEUSE_MATRIX_OWNERS_H
#define SCHLEUSE_MATRIX_OWNERS_H

#include "lib/fact/fact.h"
#include "lib/matrix/name.h"

#define OWNERS_NAMES_MAX 16 /* of one host and port; the one noted longest ago goes */
#define OWNERS_KEY_MAX (NAME_MAX_LEN + 16)

struct destination_owner {
	struct fact fact; /* err: OK (n >= 1), ERR_NOT_FOUND, ERR_OVERLOAD, ERR_MEMORY; for 1 s */
	size_t n;
	const char *const *names; /* as discovery was asked for them, latest first */
};

struct owners;

struct owners *owners_new(struct loop *loop, size_t max_places) MUST_CHECK;
void owners_free(struct owners *o); /* waiting askers are cancelled without a call */

/* `name` points to host:port until then.  Without memory nothing is noted. */
void owners_note(struct owners *o, struct str host, uint16_t port, struct str name, clock_ms until);

/* For fact_get(): key is owners_key(), the value a struct destination_owner if err is OK. */
struct fact_cache *owners_cache(struct owners *o);

/* "host:port" in one form, whatever the case of a name or the writing of a literal (brackets or
 * not); n == 0: too long. */
struct str owners_key(struct str host, uint16_t port, char out[OWNERS_KEY_MAX]);

#endif
