/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver - names to addresses (A, AAAA) and services (SRV), without blocking.
 *
 * Runs on one loop (the control thread's).  IP literals and the table of fixed hosts are answered
 * without DNS; a fixed host has no SRV records.  Every answer is a call from the loop, never from
 * within the asking function.  c-ares appears in
 * the files of resolver only.
 */
#ifndef SCHLEUSE_NET_RESOLVER_H
#define SCHLEUSE_NET_RESOLVER_H

#include "lib/net/address.h"
#include "lib/net/loop.h"

#define RESOLVER_MAX_ANSWERS 16 /* of one kind; surplus records are ignored */
#define RESOLVER_NAME_MAX 256
#define RESOLVER_TTL_FIXED ((clock_ms)60 * 60 * 1000) /* of literals and fixed hosts */
#define RESOLVER_TTL_NONE ((clock_ms)60 * 1000)       /* of "none" without SOA record */

struct resolver;
struct resolver_query;

struct resolver_host { /* one address; a name may have several rows */
	const char *name;
	const char *address;
};

struct resolver_config { /* copied */
	const struct resolver_host *hosts;
	size_t n_hosts;
	const char *const *nameservers; /* "ip", "ip:port" or "[ip6]:port"; n == 0: the system's */
	size_t n_nameservers;
	clock_ms timeout_ms; /* of the first try of one name server; 0: 2 s */
	unsigned tries;      /* 0: 3 */
};

struct resolver_service {
	char target[RESOLVER_NAME_MAX]; /* without trailing dot; "" stands for ".": not offered */
	uint16_t port, priority, weight;
};

/* NULL: out of memory, or a name server or fixed address is malformed (logged). */
struct resolver *resolver_new(struct loop *loop, const struct resolver_config *cfg) MUST_CHECK;
void resolver_free(struct resolver *r); /* waiting askers are cancelled without a call */

/* A waiting asker; embedded in the asker. */
struct resolver_req {
	struct resolver_query *query;
	union {
		void (*on_addrs)(void *arg, enum err err, const struct address *addrs, size_t n);
		void (*on_services)(
		    void *arg, enum err err, const struct resolver_service *s, size_t n);
	};
	void *arg;
	/* Set before the call: */
	clock_ms ttl_ms; /* of the answer: the shortest of its records; of `none`: by the SOA
			    record (RFC 2308); of failures: 0 */
	bool none;       /* the name servers say that there is no such name or record */
};

void resolver_req_init(struct resolver_req *q);
void resolver_cancel(struct resolver_req *q); /* may be called any time */

/* OK with n >= 1; ERR_DNS: no such name, no address (`none`), or the name servers fail;
 * ERR_TIMEOUT; ERR_MEMORY (false: not even that can be said later, nobody is called). */
bool resolver_addrs(struct resolver *r, struct str host, uint16_t port, struct resolver_req *q,
    void (*fn)(void *arg, enum err err, const struct address *addrs, size_t n),
    void *arg) MUST_CHECK;

/* SRV records of <service>.<host>, e.g. "_matrix-fed._tcp", in the order in which they should be
 * tried (RFC 2782). ERR_NOT_FOUND: the name servers say that there are none; ERR_DNS: they fail;
 * ERR_TIMEOUT. */
bool resolver_services(struct resolver *r, struct str service, struct str host,
    struct resolver_req *q,
    void (*fn)(void *arg, enum err err, const struct resolver_service *s, size_t n),
    void *arg) MUST_CHECK;

/* Sorts by priority, and by lot according to the weight within one priority. */
void resolver_order(struct resolver_service *s, size_t n);

#endif
