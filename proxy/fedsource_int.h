/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource_int - what the kinds of sources share: fedsource.c (when to look, judging, what is
 * told) and a file for each kind, which knows how to look.
 */
#ifndef SCHLEUSE_PROXY_FEDSOURCE_INT_H
#define SCHLEUSE_PROXY_FEDSOURCE_INT_H

#include <sys/stat.h>

#include "lib/federation/fedintake.h"
#include "proxy/fedsource.h"

struct fedsource_kind {
	void (*look)(struct fedsource *s); /* ends in offer, settle, or a timer that is set */
	void (*judged)(struct fedsource *s, enum err err); /* what was offered; before it is told */
	void (*cancel)(struct fedsource *s);               /* what is under way */
	clock_ms retry; /* the longest wait after a look that failed, */
	bool always;    /* or after any */
};

extern const struct fedsource_kind fedsource_by_file, fedsource_by_url, fedsource_by_regsvc;

struct fedsource {
	struct loop *loop;
	struct fedsource_config cfg;
	const struct fedsource_kind *kind;
	char *name, *file, *url;
	const char *where; /* for the log */
	struct timer timer;
	struct fedintake *intake;
	struct fedsource_state state;
	bool paused;
	int status;                 /* of the download being judged, or 0 */
	const struct fedlist *told; /* to be compared only */
	int64_t told_as_of;
	char etag[FETCH_HEADER_MAX];      /* of the answer in force */
	char etag_next[FETCH_HEADER_MAX]; /* of the answer being judged */
	/* file */
	struct stat seen;    /* the file as it was last read; st_ino == 0: never */
	clock_ms read_again; /* a file that was refused, though it does not change */
	/* url */
	struct fetch *fetch;
	/* regsvc */
	struct regcall *call;
	bool asked;        /* a look is due because a name is missing */
	int64_t announced; /* a version, while we looked; -1: nothing */
	bool outdated;     /* it says that its own list is */
};

/* Ends a look: the bytes of a list (NULL: the file), as current at wall-clock second as_of, are
 * judged. */
void fedsource_offer(
    struct fedsource *s, struct buf *body, int64_t as_of, int status, const char *etag);
/* Ends a look that brought no list: OK confirms the one held as current at as_of. */
void fedsource_settle(struct fedsource *s, enum err err, int64_t as_of, int status);

#endif
