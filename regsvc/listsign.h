/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listsign - signs a list that came unsigned from an old VZD (interfaces 1.0.0 to 1.1.5).
 *
 * Proxies accept signed lists only.  Where an operator decides to vouch for what came over TLS, the
 * list is made a compact JWS (ES256, certificate and chain in x5c) by a certificate of our own, and
 * from there on takes the way of every list.
 */
#ifndef SCHLEUSE_REGSVC_LISTSIGN_H
#define SCHLEUSE_REGSVC_LISTSIGN_H

#include <openssl/x509.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/net/loop.h"

/* The JWS of a payload; `out` is empty, with a maximum.  ERR_X5C_SYNTAX, ERR_X5C_CURVE: what the
 * PEM texts hold is no certificate with its P-256 key; ERR_TOO_LARGE; ERR_MEMORY.  Any thread. */
enum err listsign_make(struct str payload, struct str certificates_pem, struct str key_pem,
    struct buf *out) MUST_CHECK;

/* The same on a thread of its own.  payload is taken over; the PEM texts must stay valid until fn,
 * which is called later exactly once unless cancelled; it may take the JWS.  NULL: out of memory,
 * the payload is freed and nobody is called. */
typedef void listsign_fn(void *arg, enum err err, struct buf *jws);
struct listsign;
struct listsign *listsign_start(struct loop *loop, struct buf *payload, size_t max,
    struct str certificates_pem, struct str key_pem, listsign_fn *fn, void *arg) MUST_CHECK;
void listsign_cancel(struct listsign *s); /* waits for it; NULL is allowed */

#endif
