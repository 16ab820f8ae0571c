/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principal - who asks: the client that proved itself, and whose data it may see.
 *
 * A copy: it outlives the record it was made of.  The subscription stands for the tenant in every
 * address of the API (FDS-2.6.4.1-4, CP-2.2-1); it identifies no person.
 */
#ifndef SCHLEUSE_REGSVC_PRINCIPAL_H
#define SCHLEUSE_REGSVC_PRINCIPAL_H

#include "lib/base/str.h"
#include "lib/base/uuid.h"

#define CLIENT_ID_MAX 64

/* A client has one of them and is refused with the others (CP-1.2.2-5). */
enum principal_method { PRINCIPAL_BASIC, PRINCIPAL_OAUTH, PRINCIPAL_MTLS };

enum scope {
	SCOPE_LIST = 1,
	SCOPE_CERTIFICATES = 2,
	SCOPE_CHANGES = 4,
	SCOPE_DIRECTORY = 8,
	SCOPE_AUDIT = 16,
	SCOPE_ALL = 31
};
#define SCOPE_TEXT_MAX 64 /* all of them */

struct principal {
	char client[CLIENT_ID_MAX + 1];
	char subscription[UUID_TEXT + 1]; /* FDS-2.6.4.1-4a */
	enum principal_method method;
	unsigned scopes; /* enum scope, or-ed */
};

/* Words with one blank between them (RFC 6749 3.3).  false: malformed, or a word that is none of
 * them. */
bool scope_parse(struct str text, unsigned *scopes) __attribute__((warn_unused_result));
/* The same words; returns out. */
char *scope_print(unsigned scopes, char out[SCOPE_TEXT_MAX]);

#endif
