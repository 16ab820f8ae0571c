/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_fakes - what is around a CONNECT and its tunnel, besides what passage_fakes has: the socket that is taken,
 * the connector, the HTTP server inside, the splice.
 */
#ifndef SCHLEUSE_TESTS_CONNECT_FAKES_H
#define SCHLEUSE_TESTS_CONNECT_FAKES_H

#include "lib/net/minter.h"
#include "lib/net/splice.h"
#include "tests/unit/passage_fakes.h"

struct tunnel_around {
	/* the exchange's socket */
	int fd;            /* given by take; -1: cannot be taken */
	const char *early; /* what was read of the tunnel */
	unsigned taken;
	/* TLS ended here */
	bool no_mint;
	char minted[64];
	enum mint_fault fault;
	unsigned adopted;
	char adopted_early[64];
	void *listener; /* of the server inside */
	const void *left; /* whose connections end */
	/* bytes as they are */
	void (*on_connected)(void *arg, struct stream *s, enum err why); /* NULL: nobody connects */
	void *connect_arg;
	enum err counted;
	unsigned closed; /* streams */
	bool no_splice;
	void (*on_spliced)(void *arg, enum err why); /* NULL: none runs */
	void *splice_arg;
	char to_client[64], to_remote[64];
	struct splice_bytes bytes;
	unsigned looked; /* whether the worker is drained */
};

extern struct tunnel_around tunnels;
extern const struct exchange_ops fake_connect;
struct stream *fake_remote(void); /* what a connector brings */

#endif
