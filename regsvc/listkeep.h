/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listkeep - the federation list in force with its text, and the only way into it: fedintake.
 *
 * Opened for one configuration: what the one before held, or the state directory, is taken over if
 * it still counts.  Runs on one loop.
 */
#ifndef SCHLEUSE_REGSVC_LISTKEEP_H
#define SCHLEUSE_REGSVC_LISTKEEP_H

#include "lib/federation/fedlist.h"
#include "lib/http/fetch.h"
#include "lib/net/loop.h"
#include "regsvc/listtext.h"
#include "regsvc/vzd_conf.h"

struct listkeep;

struct listkeep_config { /* must outlive it */
	const struct list_conf *conf;
	const char *client_id; /* of TI-User-Agent, or NULL */
	const char *state_dir;
	struct fetcher *fetcher;
	clock_ms timeout;           /* of one question about the signer */
	void (*changed)(void *arg); /* later: the list counts, or does not any more */
	void *arg;
};

/* from: NULL, or what was in force before, which is stopped: what its trust knows is written only
 * then.  NULL: out of memory. */
struct listkeep *listkeep_new(
    struct loop *loop, const struct listkeep_config *cfg, const struct listkeep *from) MUST_CHECK;
void listkeep_stop(struct listkeep *k); /* it only holds what it has; NULL is allowed */
void listkeep_free(struct listkeep *k); /* NULL is allowed */

/* Judges a list, whose bytes are taken over, as current at wall-clock second as_of.  fn is called
 * later, exactly once unless the keep is freed: OK, it is in force, or it was; else why not.
 * false: one is being judged, or out of memory; the bytes are freed and nobody is called. */
bool listkeep_offer(struct listkeep *k, struct buf *jws, int64_t as_of,
    void (*fn)(void *arg, enum err err), void *arg) MUST_CHECK;
void listkeep_confirm(struct listkeep *k, int64_t as_of); /* the list held is current */

const struct fedlist *listkeep_list(const struct listkeep *k); /* NULL: none that counts */
struct lists_text *listkeep_text(const struct listkeep *k);    /* NULL with it */
int64_t listkeep_as_of(const struct listkeep *k);              /* 0: unknown */

#endif
