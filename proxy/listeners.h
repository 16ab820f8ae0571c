/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners - the listening sockets of the process: bound, inherited, compared, given up.
 *
 * An endpoint is one configured address with its sockets, which live as long as somebody holds a
 * reference: the control thread, which passes them on to a successor, and the workers that accept
 * from them.  Endpoints that were bound here have one socket for each worker (SO_REUSEPORT), so
 * that workers do not contend.  Inherited ones have as many as were passed; with fewer sockets than
 * workers some share, and whoever is faster accepts.  None of an inherited group is closed, because
 * that would reset what waits in its queue.  A unix socket cannot be bound twice: the workers share
 * one.  Its file belongs to the process that accepts there; a successor takes it over.
 *
 * A set is what one configuration listens on; it is immutable, the control thread makes a new one
 * on reload and hands it to the workers.
 */
#ifndef SCHLEUSE_PROXY_LISTENERS_H
#define SCHLEUSE_PROXY_LISTENERS_H

#include "proxy/config.h"

#define LISTENERS_KEY_MAX 256
#define LISTENERS_SETTLE_MS 1000 /* longer than any handshake worth waiting for */

struct endpoint {
	struct snapshot snap;
	char key[LISTENERS_KEY_MAX]; /* the address as configured, in one form; port 0 stays 0 */
	bool activated; /* the service manager holds the sockets too and goes on listening */
	size_t n;
	int sockets[];
};

/* No sockets yet: endpoint_add() takes them over.  NULL: out of memory. */
struct endpoint *endpoint_new(const char *key, bool activated, size_t max) MUST_CHECK;
void endpoint_add(struct endpoint *e, int fd);

/* Calls fn with each socket a worker accepts from. */
void endpoint_share(const struct endpoint *e, unsigned worker, unsigned n_workers,
    void (*fn)(void *arg, int fd), void *arg);

struct listening {
	struct endpoint *endpoint; /* one reference */
	enum listener_kind kind;
	const struct listener_conf *conf; /* in the set's configuration; NULL: being given up */
	/* 0: configured.  Else what waits is still accepted, and it goes at this time. */
	clock_ms until;
};

struct listeners {
	struct snapshot snap;
	struct proxy_conf *conf; /* one reference */
	struct endpoint *admin;  /* one reference */
	size_t n;
	struct listening of[]; /* those of conf in its order, then those being given up */
};

/* What a configuration listens on.  Endpoints of `had` (NULL: none) are used again, what is missing
 * is bound, and so is a unix socket whose file somebody has removed; those of `had` that are not
 * used any more are kept as being given up.  NULL: logged; what was bound is closed. */
struct listeners *listeners_open(
    struct proxy_conf *conf, struct listeners *had, unsigned n_workers) MUST_CHECK;

/* Lets no new handshake begin at those being given up; whether there are any. */
bool listeners_refuse(const struct listeners *l);
/* The same set without those whose time has come.  NULL: out of memory. */
struct listeners *listeners_settle(struct listeners *l, clock_ms now) MUST_CHECK;

/* --- the files of unix sockets (listeners_files.c) --- */

bool endpoint_is_unix(const struct endpoint *e);
/* Once a set is in force: files have the mode that is configured, those being given up go. */
void listeners_adopt_files(const struct listeners *l);
/* Removes those of l that are not in force in `but` (NULL: all), unless the service manager made
 * them.  Nobody connects there any more; who waits in the queue is still accepted. */
void listeners_remove_files(const struct listeners *l, const struct listeners *but);

/* A set of endpoints that were inherited, to be given to listeners_open(); takes them over, also
 * when it fails (out of memory).  admin: or NULL. */
struct listeners *listeners_inherit(
    const struct listening *of, size_t n, struct endpoint *admin) MUST_CHECK;

/* The key of a configured address; returns out. */
char *listeners_key(const struct conf_address *a, char out[LISTENERS_KEY_MAX]);

/* Writes addresses_file, if one is set; false: logged. */
bool listeners_tell(const struct listeners *l);

#endif
