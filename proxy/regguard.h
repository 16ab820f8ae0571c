/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regguard - which certificates of a set are trusted at the time: whether they lead to the anchors,
 * by way of new roots and sub-CAs too, and their revocation are watched as long as they are in use
 * (B-5.4-0, B-5.4.3).
 *
 * Control thread.  One that was judged before counts at once, another one when there is good word
 * of it; a revoked one never, even if the registration service still gives it.
 */
#ifndef SCHLEUSE_PROXY_REGGUARD_H
#define SCHLEUSE_PROXY_REGGUARD_H

#include "lib/trust/trust.h"
#include "proxy/regcertset.h"

struct regguard;

/* Takes over the set, and watches those of its certificates that are no configured files.  `trust`
 * NULL: all count as they are.  on_change is called later, whenever another one counts, or counts
 * no more, and when the last first verdict is here.  NULL: out of memory; the set is left alone. */
struct regguard *regguard_new(struct trust *trust, struct regcertset *set, const char *name,
    void (*on_change)(void *arg), void *arg) MUST_CHECK;
void regguard_free(struct regguard *g); /* NULL is allowed */

struct passport_trust *regguard_trust(const struct regguard *g); /* what counts; held by g */
size_t regguard_count(const struct regguard *g);                 /* of the service's certificates */
size_t regguard_pending(const struct regguard *g);               /* without any verdict yet */

#endif
