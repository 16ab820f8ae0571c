/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_int - what the files of destination share; nobody else includes it.
 */
#ifndef SCHLEUSE_MATRIX_DESTINATION_INT_H
#define SCHLEUSE_MATRIX_DESTINATION_INT_H

#include "lib/matrix/destination.h"

struct destination_leg { /* one endpoint and what became of its name */
	struct str host;
	uint16_t port;
	enum err err; /* OK, ERR_DNS, ERR_TIMEOUT, ERR_ADDRESS (all were filtered), ERR_MEMORY */
	bool none;    /* ERR_DNS, and the name servers are sure */
	clock_ms ttl_ms;
	size_t n;
	struct address at[RESOLVER_MAX_ANSWERS];
};

struct destination_plan { /* what a struct destination is made of */
	struct str key, tls_name, host;
	const struct destination_leg *legs;
	size_t n_legs;
};

/* Takes what may be connected to, families alternating, IPv6 first (RFC 8305, 4). */
void destination_leg_take(
    struct destination_leg *leg, const struct address *v, size_t n, bool private_addresses);

/* One reference for the caller, times not set; NULL: out of memory. */
struct destination *destination_make(const struct destination_plan *plan) MUST_CHECK;

#endif
