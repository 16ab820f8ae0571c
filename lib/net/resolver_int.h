/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver_int - what the files of resolver share; nobody else includes it.
 */
#ifndef SCHLEUSE_NET_RESOLVER_INT_H
#define SCHLEUSE_NET_RESOLVER_INT_H

#define CARES_NO_DEPRECATED 1
#include <ares.h>

#include "lib/net/dnsanswer.h"
#include "lib/net/resolver.h"

#define RESOLVER_CLASS_IN 1

struct resolver_fixed {
	struct str name;
	struct address address;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct list watches;
	struct list all;
	struct resolver_fixed *fixed;
	size_t n_fixed;
	bool closing;
};

enum resolver_kind { RESOLVER_ADDRS, RESOLVER_SERVICES };

struct resolver_query {
	struct list node;
	struct resolver *resolver;
	struct resolver_req *req; /* NULL: cancelled */
	struct task task;
	enum resolver_kind kind;
	enum err err;
	bool flying; /* c-ares holds a pointer to us */
	char name[RESOLVER_NAME_MAX + 1];
	uint16_t port;
	clock_ms ttl_ms;
	bool none;
	enum err denial;  /* ADDRS without an answer: what is wrong with "none" */
	unsigned denials; /* still to come */
	size_t n;
	union {
		struct address addrs[RESOLVER_MAX_ANSWERS];
		struct resolver_service services[RESOLVER_MAX_ANSWERS];
	};
};

/* The query is answered: told from a deferred task. */
void resolver_query_end(struct resolver_query *q, enum err err);

/* For c-ares; arg is the query. */
void resolver_on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *ai);
void resolver_on_srv(void *arg, int status, int timeouts, unsigned char *reply, int len);

#endif
