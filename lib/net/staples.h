/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staples - the OCSP responses to send with certificates: one snapshot for all workers.
 *
 * In the order of the identities of a tls_server.  A response is not sent once its time is over,
 * whether or not a newer snapshot has come.
 */
#ifndef SCHLEUSE_NET_STAPLES_H
#define SCHLEUSE_NET_STAPLES_H

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

struct tls_staple {
	struct str der; /* n == 0: none */
	int64_t until;  /* wall-clock second of nextUpdate */
};

struct tls_staples {
	struct snapshot snap;
	size_t n;
	struct tls_staple of[];
};

/* Copies; NULL: out of memory. */
struct tls_staples *tls_staples_of(const struct tls_staple *staples, size_t n) MUST_CHECK;

#endif
