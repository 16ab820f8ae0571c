/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookups - facts a worker lacks, asked of the control thread by letter.
 *
 * A question is one letter that travels to the control thread, waits there in that thread's fact
 * cache, and travels back with the fact.  The worker's own caches see to it that each question is
 * asked once.
 */
#ifndef SCHLEUSE_PROXY_LOOKUPS_H
#define SCHLEUSE_PROXY_LOOKUPS_H

#include "lib/fact/fact.h"
#include "proxy/rules/rules.h"

struct control;
struct worker;

/* The `input` of fact_get()/fact_peek() on a worker's keys; its accounts take a struct
 * account_input. */
struct keys_input {
	clock_ms younger_than; /* 0: any */
};

bool lookups_open(struct worker *w) MUST_CHECK; /* makes the worker's caches */
void lookups_adopt(struct worker *w); /* gives them the limits of a new configuration */
void lookups_close(struct worker *w);

/* Forgets who is behind which token, on all threads: a session of one of them ended. */
void lookups_forget_accounts(struct worker *w);

/* Control side: questions that wait there are in control_questions().  Asked again of caches that
 * were made anew; dropped when the workers have ended. */
void lookups_ask_again(struct control *c);
void lookups_drop(struct control *c);
void lookups_drop_invites(struct control *c); /* part of it */

/* Remembers an invite that is let through.  false: out of memory, the invite must not pass. */
bool lookups_note_invite(
    struct worker *w, const struct service_conf *s, const struct invite *in) MUST_CHECK;

/* Which of n invites were accepted before; fn is called later unless cancelled, with an array of n.
 * NULL: out of memory. */
struct invite_question;
struct invite_question *lookups_ask_invites(struct worker *w, const struct service_conf *s,
    const struct invite *in, size_t n, void (*fn)(void *arg, const bool *known),
    void *arg) MUST_CHECK;
void lookups_cancel_invites(struct invite_question *q); /* NULL is allowed */

#endif
