/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_script - Lua scripts in Redis: what several commands change is changed at once.
 *
 * A script is called by the SHA-1 of its text (EVALSHA); where Redis does not know it, after its
 * start, a failover or SCRIPT FLUSH, the text is sent (EVAL), from then on Redis knows it.  Runs on
 * the loop of the redis it is given.
 */
#ifndef SCHLEUSE_STORE_REDIS_SCRIPT_H
#define SCHLEUSE_STORE_REDIS_SCRIPT_H

#include "lib/base/arena.h"
#include "lib/store/redis.h"

#define REDIS_SCRIPT_SHA 41

struct redis_script {
	const char *text;
	char sha[REDIS_SCRIPT_SHA]; /* made by redis_script_init() */
};

struct redis_script_call;

bool redis_script_init(struct redis_script *s, const char *text) MUST_CHECK; /* text: stays */

/* The one key of a script, then its arguments. */
struct redis_words {
	struct arena mem;
	struct str *v;
	size_t n, room;
	bool failed; /* out of memory, now or before */
};

void redis_words_init(struct redis_words *w, struct str key);
void redis_words_fini(struct redis_words *w);
void redis_words_put(struct redis_words *w, struct str word); /* stays until they are sent */
void redis_words_number(struct redis_words *w, uint64_t number);

/* Copies the words.  fn as in redis_send().  NULL: as there, or they failed. */
struct redis_script_call *redis_script_run(struct redis *r, const struct redis_script *s,
    const struct redis_words *w, redis_fn *fn, void *arg) MUST_CHECK;
/* For who is about to free r: the text is sent at once, as far as there is a connection which takes
 * it, and nobody waits for the answer. */
void redis_script_tell(struct redis *r, const struct redis_script *s, const struct redis_words *w);
/* A script that was sent is still carried out, if Redis knows it.  NULL is allowed. */
void redis_script_cancel(struct redis_script_call *c);

#endif
