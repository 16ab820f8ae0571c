/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_record - what is in the files of a store in a folder; pure.
 *
 * A value's file is one line and the value:
 *
 *   schleuse-store 1 <expiry> <length> <checksum> LF
 *
 * expiry: milliseconds since the epoch, 0: never; the checksum (BLAKE2b, 32 bytes, hexadecimal) is
 * of key, LF, expiry, LF and value, so a file that was cut off, changed or renamed is not believed.
 *
 * The journal of several changes that are one:
 *
 *   schleuse-journal 1 LF
 *   set <number> <key> LF       the value is in the temporary file of that number
 *   delete <key> LF
 *   end <checksum of all before> LF
 */
#ifndef SCHLEUSE_STORE_STORE_RECORD_H
#define SCHLEUSE_STORE_STORE_RECORD_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define STORE_RECORD_HEAD_MAX 160 /* of the line, its LF included */

struct store_record {
	int64_t expiry;
	uint64_t length; /* of the value */
	size_t head;     /* bytes of the line */
	struct str checksum;
};

/* Writes the line for a value; returns its length. */
size_t store_record_head(
    struct str key, struct str value, int64_t expiry, char out[STORE_RECORD_HEAD_MAX]);
/* Reads the line at the beginning of text; false: malformed. */
bool store_record_parse(struct str text, struct store_record *r) MUST_CHECK;
/* Whether value is the one the line was written for. */
bool store_record_fits(const struct store_record *r, struct str key, struct str value) MUST_CHECK;

struct store_change {
	struct str key;
	size_t number;
	bool set; /* or delete */
};

bool store_journal_begin(struct buf *out) MUST_CHECK;
bool store_journal_put(struct buf *out, const struct store_change *c) MUST_CHECK;
bool store_journal_end(struct buf *out) MUST_CHECK;
/* Whether text is a whole journal; then its changes one after the other, beginning with *at = 0;
 * false: that was the last one. */
bool store_journal_ok(struct str text) MUST_CHECK;
bool store_journal_next(struct str text, size_t *at, struct store_change *c) MUST_CHECK;

#endif
