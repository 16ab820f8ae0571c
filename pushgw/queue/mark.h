/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark - sixteen bytes that stand for a push or a pushkey where only "the same or another" matters.
 *
 * SipHash-128 with a secret key: nobody outside can make two of them equal, and none says what it
 * was made of.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_MARK_H
#define SCHLEUSE_PUSHGW_MARK_H

#include "pushgw/push.h"

#define MARK_KEY 16 /* bytes */

struct mark {
	uint64_t v[2]; /* never both 0 */
};

/* Where the pushes of a device go if its pushkey does not say it (Web Push); n == 0: the pushkey
 * does.  It belongs to the name of the device: anybody may give the key of another's browser and an
 * endpoint of his own, where he refuses it, holds it up, or lets it be seen. */
struct str mark_endpoint(struct str data);

struct mark mark_of_push(const unsigned char key[MARK_KEY], const struct push *p);
struct mark mark_of_pushkey(const unsigned char key[MARK_KEY], const struct push *p);

static inline bool
mark_eq(struct mark a, struct mark b)
{
	return a.v[0] == b.v[0] && a.v[1] == b.v[1];
}

#endif
