/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard - slows down who guesses.
 *
 * Two things count failed attempts, each forgotten one by one with time.  An address (IPv6: its
 * /64) with too many has to wait, whoever it claims to be: 429.  A client with failures, from
 * wherever they come, gets its next failing answers later and later; a right secret is never held
 * up by that, so nobody can lock out a client by guessing at it from elsewhere.
 *
 * Names are keyed hashes in a table of fixed size, where what has failed least gives way.  Runs on
 * the service's loop.
 */
#ifndef SCHLEUSE_REGSVC_GUARD_H
#define SCHLEUSE_REGSVC_GUARD_H

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "regsvc/gate_conf.h"

struct guard;

struct guard *guard_new(const struct guard_conf *conf) MUST_CHECK;
void guard_adopt(struct guard *g, const struct guard_conf *conf);
void guard_free(struct guard *g); /* NULL is allowed */

/* 0: an attempt from this address (text of an IP address) may be looked at; else after how many
 * milliseconds it may. */
clock_ms guard_wait(const struct guard *g, const char *peer, clock_ms now) MUST_CHECK;

/* Counts one failed attempt; id: who it claimed to be, n == 0: nobody in particular.  By how many
 * milliseconds the answer has to be delayed. */
clock_ms guard_failed(struct guard *g, const char *peer, struct str id, clock_ms now) MUST_CHECK;

#endif
