/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlspeer - a TLS server on loopback whose connections are the test's, as lab_ends.
 */
#ifndef SCHLEUSE_TESTS_TLSPEER_H
#define SCHLEUSE_TESTS_TLSPEER_H

#include "lib/net/address.h"
#include "tests/unit/lab.h"
#include "tests/unit/tlscert.h"

struct tlspeer {
	int listener;
	struct address at;
	SSL_CTX *ctx;
	X509_STORE *anchors; /* trusting the issuer of its certificate */
};

void tlspeer_open(struct tlspeer *p, const struct tlscert *want);
void tlspeer_close(struct tlspeer *p);

/* Whether one has come; its handshake goes on with lab_read(). */
bool tlspeer_accepted(struct tlspeer *p, struct lab_end *far);
void tlspeer_secure(struct tlspeer *p, struct lab_end *far); /* begins TLS on an accepted one */

struct address tlspeer_loopback(unsigned short port);

#endif
