/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedlink - what one federation has outside: where its list comes from and is kept, its
 * registration service, whose PASSporTs count.
 *
 * Control thread.  Made anew with each configuration, which outlives it; the struct must not move
 * once it is open.
 */
#ifndef SCHLEUSE_PROXY_FEDLINK_H
#define SCHLEUSE_PROXY_FEDLINK_H

#include "proxy/fedsource.h"
#include "proxy/misses.h"
#include "proxy/regcerts.h"
#include "proxy/regwatch.h"

struct fedlink_events {
	/* A list has changed; NULL: there is none. */
	void (*list)(void *arg, size_t federation, const struct fedlist *list, int64_t as_of);
	/* What vouches for PASSporTs has changed; NULL: what the configuration has. */
	void (*passports)(void *arg, size_t federation, struct passport_trust *trust);
	void *arg;
};

struct fedlink {
	size_t federation; /* index in the configuration */
	const struct fedlink_events *events;
	struct misses *misses; /* told what became of its questions */
	struct fedstore *store;
	struct trust *trust; /* NULL: the anchors alone decide */
	struct fedsource *source;
	struct regclient *client; /* NULL: nothing comes from a registration service */
	struct regwatch *watch;
	struct regcerts *certs;    /* NULL: none come from there */
	struct trust *certs_trust; /* NULL: their chains alone decide */
};

/* `l` is zeroed but federation, events and misses.  `old`: n of them, in force until now; a list
 * that still counts is held on to.  false: the reason is logged; close it. */
bool fedlink_open(struct fedlink *l, const struct fedlink *old, size_t n, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf) MUST_CHECK;
void fedlink_close(struct fedlink *l);
void fedlink_tell(const struct fedlink *l); /* calls both events as things are now */
void fedlink_pause(const struct fedlink *l);
void fedlink_resume(const struct fedlink *l);

/* For misses: asks because a name is missing.  false: not now. */
bool fedlink_list_is_asked(const struct fedlink *l);
bool fedlink_ask_list(const struct fedlink *l) MUST_CHECK;
bool fedlink_ask_x5u(const struct fedlink *l, struct str x5u) MUST_CHECK;

#endif
