/* SPDX-License-Identifier: Apache-2.0 */
/*
 * misses - names that are not known here, asked about at the registration service before they are
 * refused: domains missing from the list, x5u of PASSporTs (FD-5.2.1.2-16, AF_10064, A_25537).
 *
 * Control thread.  What an answer brings is put in force by its owner (fedsource, regcerts) before
 * the question is answered, so who asked judges again.  Strangers can invent names, hence: one
 * question at a time for all domains together, one for each URL, so many a minute as the
 * configuration allows, and none for a name that was asked about a short while ago.  The fact is
 * only that: it says nothing about the name.
 */
#ifndef SCHLEUSE_PROXY_MISSES_H
#define SCHLEUSE_PROXY_MISSES_H

#include "lib/fact/fact.h"
#include "proxy/miss.h"

struct fedlink;
struct misses;

/* conf and the links, by federation, outlive it.  NULL: out of memory. */
struct misses *misses_new(
    struct loop *loop, const struct proxy_conf *conf, struct fedlink *links) MUST_CHECK;
void misses_free(struct misses *m);
struct fact_cache *misses_cache(struct misses *m);

void misses_looked(struct misses *m, size_t federation, enum err err); /* a look at the list */
void misses_asked(struct misses *m, size_t federation, struct str x5u, enum err err);
void misses_give_up(struct misses *m); /* no more answers come for what was asked */

#endif
