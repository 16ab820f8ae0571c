/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource - keeps one federation's list current, from a file, an https URL or the registration
 * service (FD-5.2.2-16/-18).
 *
 * Control thread; reading and verifying a list happens on a thread of its own, so that a large one
 * holds up nobody.  What is found goes to the fedstore, which decides; here is only when to look
 * and where, and every refusal becomes one line in the log saying what, where and what to do.
 *
 * A file is current as of its modification time: whoever supplies it must keep touching or
 * replacing it, so that a list nobody cares for any more goes stale.  A URL is current as of its
 * last good answer, the registration service as of when the directory last confirmed its list.
 */
#ifndef SCHLEUSE_PROXY_FEDSOURCE_H
#define SCHLEUSE_PROXY_FEDSOURCE_H

#include "lib/federation/fedintake.h"
#include "lib/http/fetch.h"
#include "lib/net/loop.h"

#define FEDSOURCE_FILE_LOOK_MS 5000 /* a file is looked at at least this often */
#define FEDSOURCE_RETRY_MS 300000   /* after a failed download */

struct fedsource;
struct regclient;

struct fedsource_config {
	const char *name; /* of the federation, for the log */
	const char *file; /* one of the three */
	const char *url;
	struct regclient *client; /* not owned */
	X509_STORE *anchors;      /* for url's server; NULL: the fetcher's; a reference is taken */
	struct fetcher *fetcher;  /* not owned; may be NULL for a file */
	struct fedstore *store;   /* not owned */
	struct trust *trust;      /* not owned; NULL: the store's anchors alone decide */
	clock_ms interval;
	clock_ms trust_retry; /* after a list on whose signer there was no word */
	clock_ms timeout;     /* of a download */
	size_t max_bytes;
	clock_ms outdated_wait; /* with client: no question after it said its list is outdated */
	bool outdated;          /* ... as it did when it was asked last, before a reload */
	/* The list in force or the time as of which it is current has changed; valid while the
	 * store holds it: take a reference to keep it.  NULL: none counts any more. */
	void (*on_change)(void *arg, const struct fedlist *list, int64_t as_of);
	void (*on_looked)(void *arg, enum err err); /* a look has ended; after on_change; or NULL */
	void *arg;
};

/* Looks for the first time from the loop.  NULL: out of memory. */
struct fedsource *fedsource_new(struct loop *loop, const struct fedsource_config *cfg) MUST_CHECK;
void fedsource_free(struct fedsource *s);
void fedsource_pause(struct fedsource *s);  /* looks no more, adopts nothing */
void fedsource_resume(struct fedsource *s); /* looks at once */

/* Looks now rather than later, because a name is missing; on_looked follows.  false: it is not the
 * time to ask. */
bool fedsource_ask(struct fedsource *s) MUST_CHECK;
bool fedsource_busy(const struct fedsource *s); /* a look is under way, or about to begin */
/* The registration service has announced another list. */
void fedsource_announced(struct fedsource *s, int64_t version);

struct fedsource_state {
	int64_t version; /* of the list in force; -1: none */
	size_t count;
	int64_t as_of;   /* wall-clock second, 0: never, or outdated */
	bool outdated;   /* the registration service says so of its own */
	enum err error;  /* of the last look; OK: it was fine */
	int http_status; /* of the last download, 0: none */
	int64_t looked;  /* wall-clock second of the last look, 0: never */
};

struct fedsource_state fedsource_state(const struct fedsource *s);

#endif
