/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push_record - a push as bytes, for the journal and for Redis; pure.
 *
 *   1 byte   version, 1
 *   1 byte   flags: 0x01 low priority; 0x02, 0x04, ... 0x80: there is an event_id, room_id,
 *            ephemeral, ciphertext, mac, data, app_id
 *   number   accepted
 *   number   pushkey_ts
 *   bytes    pushkey, then those of the flags, in that order
 *
 * A number is seven bits a byte, the lowest first, 0x80 set in all but the last, in as few bytes as
 * will do; bytes are their number, at least 1, and themselves.  So a push has one form, and a
 * record is read only if it is that form of what was read.  Whoever keeps records adds a checksum.
 */
#ifndef SCHLEUSE_PUSHGW_PUSH_RECORD_H
#define SCHLEUSE_PUSHGW_PUSH_RECORD_H

#include "lib/base/err.h"
#include "pushgw/push.h"

/* The lane is not part of it; times before 1970 are written as 1970. */
size_t push_record_size(const struct push *p);
char *push_record_write(const struct push *p, char *out); /* returns the end of what was written */

/* The slices of p point into s.  false: damaged, or of another version. */
bool push_record_read(struct str s, struct push *p) MUST_CHECK;
/* The same, but app_id may be missing: it is kept elsewhere. */
bool push_record_read_part(struct str s, struct push *p) MUST_CHECK;

/* --- numbers, for who puts records in an envelope --- */

#define PUSH_RECORD_NUMBER_MAX 10 /* bytes of a number */
size_t push_record_number_size(uint64_t v);
char *push_record_number_write(uint64_t v, char *out);
/* Cuts a number off the beginning of s; false: there is none. */
bool push_record_number_read(struct str *s, uint64_t *v) MUST_CHECK;

#endif
