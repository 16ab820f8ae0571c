/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listtext - the bytes of a federation list as they were signed: one counted copy for all who are
 * served from it.
 *
 * The ETag is the version with a hash of the last bytes, the signature: another signing under the
 * same version is another text.
 */
#ifndef SCHLEUSE_REGSVC_LISTTEXT_H
#define SCHLEUSE_REGSVC_LISTTEXT_H

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

#define LISTS_ETAG_MAX 64

struct lists_text { /* immutable; to be held by snapshot_hold(&t->snap) past the call */
	struct snapshot snap;
	struct str jws;     /* as it was signed, in compact or JSON serialisation */
	struct str payload; /* of it, in base64url */
	int64_t version;
	char etag[LISTS_ETAG_MAX]; /* without quotes */
};

/* A copy of the text without blanks around it, version -1.  NULL: out of memory. */
struct lists_text *listtext_new(struct str text) MUST_CHECK;
/* By its maker, before others see it; the text is a JWS. */
void listtext_name(struct lists_text *t, int64_t version);

#endif
