/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errand - one long piece of work on a thread of its own, its end told on the loop.
 *
 * For what would hold up a loop for more than some milliseconds and comes rarely: verifying and
 * reading a list of a million entries.  The work must touch nothing that the loop's thread changes
 * meanwhile.
 */
#ifndef SCHLEUSE_NET_ERRAND_H
#define SCHLEUSE_NET_ERRAND_H

#include "lib/net/loop.h"

struct errand;

/* work(arg) runs on a new thread, named `name` in the log; then done(arg) on the loop, once.  NULL:
 * no thread or memory, nothing runs. */
struct errand *errand_start(struct loop *loop, const char *name, void (*work)(void *arg),
    void (*done)(void *arg), void *arg) MUST_CHECK;

/* Waits until the work is over; done is not called.  NULL is allowed.  At the latest before the
 * loop is freed, unless done was called: then the errand is no more. */
void errand_cancel(struct errand *e);

#endif
