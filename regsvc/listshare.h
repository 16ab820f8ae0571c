/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listshare - one list among several instances of the service, through the store.
 *
 *	list:current       {"version":N,"key":"list:text:…","as_of":SECONDS}: which one, and as of
 *			   when the VZD confirmed it
 *	list:text:<etag>   the list as it was signed
 *
 * Both are switched in one transaction that is announced on the channel "list".  Which instance
 *asks the VZD on schedule is elected by the claim "list"; each may do so at a proxy's request, and
 *each while the store cannot be reached.  What is read here is offered to fedintake like any list:
 *the store vouches for nothing but the time of a confirmation.
 *
 * Runs on one loop.
 */
#ifndef SCHLEUSE_REGSVC_LISTSHARE_H
#define SCHLEUSE_REGSVC_LISTSHARE_H

#include "lib/base/buf.h"
#include "lib/store/store.h"
#include "regsvc/listtext.h"

#define LISTSHARE_CONFIRM_S 60 /* a confirmation is shared when it is so much newer */

struct listshare;

struct listshare_config {
	struct store *store; /* not owned */
	clock_ms claim;      /* of a fetcher, renewed while it lives */
	/* The version held, -1: none. */
	int64_t (*version)(void *arg);
	/* Another instance has that version; as_of: when it was confirmed. */
	void (*confirmed)(void *arg, int64_t version, int64_t as_of);
	/* A list that may be newer than ours; its bytes may be taken. */
	void (*found)(void *arg, struct str jws, int64_t as_of);
	/* Whether we are to ask has changed. */
	void (*elected)(void *arg);
	void *arg;
};

/* NULL: out of memory. */
struct listshare *listshare_new(const struct listshare_config *cfg) MUST_CHECK;
void listshare_free(struct listshare *s); /* NULL is allowed */

/* Whether to ask the VZD on schedule: elected, or the store cannot be reached. */
bool listshare_asks(const struct listshare *s);
bool listshare_elected(const struct listshare *s);
void listshare_look(struct listshare *s); /* reads it again */

/* We hold this list, confirmed as of then. */
void listshare_publish(struct listshare *s, struct lists_text *text, int64_t as_of);

#endif
