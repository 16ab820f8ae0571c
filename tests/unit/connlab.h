/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connlab - a connector and the TLS server it leads to, both on loopback, for the tests of
 * connector.
 */
#ifndef SCHLEUSE_TESTS_CONNLAB_H
#define SCHLEUSE_TESTS_CONNLAB_H

#include "lib/net/connector.h"
#include "tests/unit/tlspeer.h"

extern struct connlab {
	struct loop *loop;
	struct tlspeer peer;
	struct lab_end far; /* what has come to the peer */
	struct connector_target to;
	struct address at[3]; /* of `to`, which names the first one only */
	/* what the connector came to */
	int calls;
	struct stream *s;
	enum err why;
} connlab;

void connlab_setup(void);
void connlab_teardown(void); /* fails if a descriptor was left open */

/* The peer listens at the first address and shows such a certificate, which is trusted. */
void connlab_open_peer(const struct tlscert *want);
struct address connlab_refusing(void); /* a port nobody listens on */

struct connector *connlab_begin(void); /* or NULL */
struct connector *connlab_start(void);
void connlab_run(void); /* the peer takes part until the connector has come to an end */

void connlab_expect_open(void);
void connlab_expect_refused(enum err why); /* and the peer has not got a byte */

#endif
