/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticketkeys - the keys of TLS session tickets: one snapshot for all workers.
 *
 * The first key encrypts, all of them decrypt.  Keys are wiped with the snapshot.
 */
#ifndef SCHLEUSE_NET_TICKETKEYS_H
#define SCHLEUSE_NET_TICKETKEYS_H

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

#define TLS_TICKET_KEYS 8 /* of a snapshot at most */
#define TLS_TICKET_KEEP 3 /* when rotating: the new one, and two that still decrypt */

struct tls_ticket_key { /* a record of a key file, byte for byte */
	unsigned char name[16], aes[32], mac[32];
};

struct tls_tickets {
	struct snapshot snap;
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	size_t n;
};

/* NULL: out of memory. */
struct tls_tickets *tls_tickets_of(const struct tls_ticket_key *keys, size_t n) MUST_CHECK;

/* A fresh key in front of those of `old` (NULL: none).  NULL: out of memory. */
struct tls_tickets *tls_tickets_rotate(const struct tls_tickets *old) MUST_CHECK;

/* The records of a key file: 80 bytes each (16 name, 32 AES-256, 32 HMAC-SHA256), at most
 * TLS_TICKET_KEYS, without names that repeat; their number, or 0 if it is no such file. */
size_t tls_tickets_read(struct str file, struct tls_ticket_key keys[TLS_TICKET_KEYS]) MUST_CHECK;

#endif
