/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invites - which invites were accepted through the invite endpoint (FD-5.2.1.2-15).
 *
 * The same invite comes again inside a transaction, there without its PASSporT; it may pass if it
 * is remembered here.  Only keyed hashes are kept, in memory and on disk: nobody can read from them
 * who invited whom.  Bounded in number and in time, and kept across restarts.  Control thread;
 * invite_digest() is pure and for any thread.
 */
#ifndef SCHLEUSE_PROXY_INVITES_H
#define SCHLEUSE_PROXY_INVITES_H

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/net/loop.h"

#define INVITE_KEY_LEN 32
#define INVITE_DIGEST_LEN 16

struct invite_key {
	unsigned char bytes[INVITE_KEY_LEN];
};

struct invite_digest {
	unsigned char bytes[INVITE_DIGEST_LEN];
};

/* service: the own server name in normal form; the others as the event has them. */
struct invite_digest invite_digest(const struct invite_key *key, struct str service,
    struct str room, struct str sender, struct str invitee);

struct invites;

struct invites_config {
	/* Holds invites.key (0600), invites.log and invites.lock; NULL: nothing outlives the
	 * process.  Two processes may use it at once, as they do during a hand-over: each finds
	 * what the other one noted. */
	const char *state_dir;
	size_t max; /* the oldest go first */
	clock_ms ttl;
};

/* Reads what an earlier process kept; makes the key at the first start.  ERR_FILE with errno set
 * (logged), ERR_MEMORY. */
enum err invites_open(
    struct loop *loop, const struct invites_config *cfg, struct invites **out) MUST_CHECK;
void invites_close(struct invites *v); /* writes everything down first */
void invites_set_limits(struct invites *v, size_t max, clock_ms ttl); /* on reload */

/* Never changes; copy it for the workers. */
const struct invite_key *invites_key(const struct invites *v);

/* Remembers, and has it on its way to the disk when it returns (safe from the end of this process;
 * from the loss of power within a second).  Noting again renews.  ERR_MEMORY: not remembered;
 * ERR_FILE: remembered, but not on disk. */
enum err invites_note(struct invites *v, const struct invite_digest *d) MUST_CHECK;
bool invites_has(struct invites *v, const struct invite_digest *d);
size_t invites_count(const struct invites *v);

#endif
