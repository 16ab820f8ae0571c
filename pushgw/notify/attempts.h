/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempts - asks clients_check() who may notify, and slows down who guesses passwords.
 *
 * Only passwords can be guessed; tokens and certificates are judged each time.  What was right from
 * an address is remembered (as a keyed hash) and never slowed down there: whoever guesses from
 * behind the same gateway as a homeserver does not stop its notifications.
 *
 * Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_PUSHGW_NOTIFY_ATTEMPTS_H
#define SCHLEUSE_PUSHGW_NOTIFY_ATTEMPTS_H

#include "pushgw/notify/clients.h"

struct attempts;

struct attempts *attempts_new(const struct guard_conf *conf) MUST_CHECK; /* NULL: out of memory */
void attempts_adopt(struct attempts *a, const struct guard_conf *conf);
void attempts_free(struct attempts *a); /* NULL is allowed */

/* As clients_check(), and ERR_AUTH_SLOWED.  *fields is valid until the next call. */
enum err attempts_check(struct attempts *a, const struct clients_conf *conf, struct exchange *ex,
    clock_ms now, struct str *fields) MUST_CHECK;

#endif
