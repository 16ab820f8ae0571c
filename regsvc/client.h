/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - the record of one client: who it is, how it proves that, what it may (CP-1.2.2-5,
 * CP-1.2.3-B2, FDS-2.6.5.1-5).
 *
 * A secret is kept only as its Argon2id hash, a certificate as the SHA-256 of its DER.  After a
 * rotation the proof before counts for some time, so that nobody has to change two machines at the
 * same moment.  Stored as one JSON object.  Pure values; needs no other module's state.
 */
#ifndef SCHLEUSE_REGSVC_CLIENT_H
#define SCHLEUSE_REGSVC_CLIENT_H

#include <sodium.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "regsvc/principal.h"

#define CLIENT_TENANT_MAX 128
#define CLIENT_PROOF_MAX crypto_pwhash_STRBYTES /* with its NUL; a fingerprint is shorter */

struct client {
	char id[CLIENT_ID_MAX + 1];
	char tenant[CLIENT_TENANT_MAX + 1];
	char subscription[UUID_TEXT + 1];
	enum principal_method method;
	bool by_certificate; /* the proof is a fingerprint; always with mtls, never with basic */
	bool revoked;
	unsigned scopes;
	char proof[CLIENT_PROOF_MAX];
	char previous[CLIENT_PROOF_MAX]; /* "": none */
	int64_t previous_until;          /* wall-clock second at which it counts no more */
	int64_t created, rotated;        /* wall-clock seconds */
	uint64_t mark;                   /* stands for the content of the record as stored */
};

bool client_id_ok(struct str id);    /* letters, digits and "._-", the first no sign */
bool client_tenant_ok(struct str s); /* UTF-8 without control characters */

/* false: unknown word */
bool client_method(struct str word, enum principal_method *out) MUST_CHECK;

/* The stored form.  false: damaged (or written by a later version). */
bool client_read(struct str json, struct client *out) MUST_CHECK;
bool client_write(const struct client *c, struct buf *out) MUST_CHECK;
/* What an operator sees: everything but the proofs of a secret. */
bool client_show(const struct client *c, int64_t now, struct buf *out) MUST_CHECK;

/* The proof before still counts. */
bool client_has_previous(const struct client *c, int64_t now);
/* Whether the fingerprint proves this client now. */
bool client_shows(const struct client *c, const char *fingerprint, int64_t now);

void client_principal(const struct client *c, struct principal *out);

#endif
