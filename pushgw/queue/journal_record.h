/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_record - what is in a segment of the journal; pure.
 *
 * A segment is records, each a frame and a body:
 *
 *   2 bytes  0xd5 0x7e
 *   1 byte   what it is
 *   4 bytes  length of the body, the lowest byte first
 *   8 bytes  checksum of what it is, length and body; its key is the number of the segment, so
 *            nothing of another segment is taken for a part of this one
 *
 * and the body, of numbers as in push_record.h:
 *
 *   head      version (1 byte), the key of marks (16 bytes); the first of each segment
 *   add       index, seq, due, push_record
 *   moved     segment and index where it was, then as add
 *   done      segment, index; any number of them
 *   rejected  mark (16 bytes), since
 *
 * Where something is damaged, reading goes on with the next frame whose checksum is right.
 */
#ifndef SCHLEUSE_PUSHGW_JOURNAL_RECORD_H
#define SCHLEUSE_PUSHGW_JOURNAL_RECORD_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "pushgw/push.h"
#include "pushgw/queue/mark.h"
#include "pushgw/queue/place.h"

#define JOURNAL_FRAME 15
#define JOURNAL_BODY_MAX (32U << 20)

enum journal_what {
	JOURNAL_HEAD = 1,
	JOURNAL_ADD,
	JOURNAL_MOVED,
	JOURNAL_DONE,
	JOURNAL_REJECTED,
};

/* What is kept of a push. */
struct journal_push {
	struct push push;
	uint64_t seq; /* in the order of putting */
	int64_t due;  /* wall-clock millisecond at which its delay is over */
};

/* --- writing: appended to out; false: out of memory --- */

bool journal_put_head(
    struct buf *out, uint32_t segment, const unsigned char key[MARK_KEY]) MUST_CHECK;
/* from: where it was, or NULL */
bool journal_put_push(struct buf *out, struct place at, const struct place *from,
    const struct journal_push *p) MUST_CHECK;
bool journal_put_done(
    struct buf *out, uint32_t segment, const struct place *places, size_t n) MUST_CHECK;
bool journal_put_rejected(
    struct buf *out, uint32_t segment, struct mark mark, int64_t since) MUST_CHECK;

/* --- reading --- */

struct journal_record {
	enum journal_what what;
	size_t at, end; /* in the segment */
	struct str body;
};

/* The next whole record at *at or after it; false: there is none.  *at becomes its end. */
bool journal_next(
    struct str segment, uint32_t number, size_t *at, struct journal_record *r) MUST_CHECK;

/* false: not what it should be. */
bool journal_get_head(const struct journal_record *r, unsigned char key[MARK_KEY]) MUST_CHECK;
bool journal_get_push(const struct journal_record *r, struct place *from, uint32_t *index,
    struct journal_push *p) MUST_CHECK;
/* One after the other, beginning with *at = 0; false: that was the last one. */
bool journal_get_done(const struct journal_record *r, size_t *at, struct place *place) MUST_CHECK;
bool journal_get_rejected(
    const struct journal_record *r, struct mark *mark, int64_t *since) MUST_CHECK;

#endif
