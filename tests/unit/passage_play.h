/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_play - one exchange through a passage, with the fakes around it: what the tests of both directions share.
 */
#ifndef SCHLEUSE_TESTS_PASSAGE_PLAY_H
#define SCHLEUSE_TESTS_PASSAGE_PLAY_H

#include "lib/matrix/serverkeys.h"
#include "tests/unit/passage_fakes.h"

#define NO_BODY NULL

extern struct exchange ex;
extern struct serverkeys *keys; /* as make_keys() has made them */

void never_free(struct snapshot *s); /* of what belongs to the test */
const struct fact *negative(enum err err); /* "there is none, because"; lives as long as the test */

void make_keys(const char *server);
/* An X-Matrix field over a request, by that key under this ID; valid until the next one. */
const char *sign_request(const char *origin, const char *destination, const char *key_id, const char *method,
    const char *target, const char *body);

/* What was asked for comes. */
void answer_fact(const struct fact *f);
void answer_invites(bool known);
void connect_upstream(struct upstream *up, enum err why);
void upstream_answers(int status, enum err err); /* complete (status), or not to be had (err) */

/* The request is over, if need be because its peer leaves, and the turn of the loop with it. */
void finish(void);

void check_nothing_pending(void); /* that could come back to a passage that has ended */
void check_refused(enum err why);
void check_passes(void);

#endif
