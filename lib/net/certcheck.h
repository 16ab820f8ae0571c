/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certcheck - judges a server certificate before it is served (CP-1.2.1-C1 to C6).
 *
 * Refused: what does not parse, a key that does not fit, X.509 other than v3, RSA below 2048 bit,
 * EC below 256 bit, signatures with SHA-1 or MD5, a certificate not valid now, self-signed outside
 * test mode, a host name of the service that the certificate does not cover.  Warned of: a lifetime
 * over twelve months, an end within 30 days, a chain out of order.  Pure, except that OpenSSL's
 * error queue is emptied.  A message says which file and what to do; it never contains key
 * material.
 */
#ifndef SCHLEUSE_NET_CERTCHECK_H
#define SCHLEUSE_NET_CERTCHECK_H

#include "lib/base/str.h"

#define CERTCHECK_LIFETIME_DAYS \
	398                    /* twelve months, a leap year and some days of renewal in advance */
#define CERTCHECK_WARN_DAYS 30 /* before the end */
#define CERTCHECK_CHAIN_MAX 10 /* certificates in the file */

struct certcheck {
	const char *chain_file, *key_file; /* names for messages */
	struct str chain_pem, key_pem;     /* server certificate first, then its issuers */
	const char *const
	    *hosts; /* public names the certificate must cover: DNS names or IP literals */
	size_t n_hosts;
	int64_t now;    /* wall-clock second */
	bool test_mode; /* self-signed is only warned of */
	bool late;      /* and so is one that has ended */
};

enum certcheck_part { CERTCHECK_CHAIN, CERTCHECK_KEY, CERTCHECK_HOST };

/* Called for every finding; fatal: the certificate must not be used.  `part` says what it is about;
 * for CERTCHECK_HOST `host` is the index into hosts. */
typedef void certcheck_say(
    void *arg, bool fatal, enum certcheck_part part, size_t host, const char *text);

/* Whether the certificate may be used.  *not_after: the second at which it ends (0 where it does
 * not parse). */
bool certcheck_judge(const struct certcheck *c, certcheck_say *say, void *arg, int64_t *not_after)
    __attribute__((warn_unused_result));

#endif
