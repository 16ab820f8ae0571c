/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge - which rules a request is under, and their verdict: the rules in their order, with their
 * modes.
 *
 * The passage gathers what is needed and asks here.  Nothing here waits or does I/O; a rule in mode
 * `log` is counted and logged here.
 */
#ifndef SCHLEUSE_PROXY_JUDGE_H
#define SCHLEUSE_PROXY_JUDGE_H

#include "proxy/rules/rules.h"

/* By the head alone: service (Host, confirmed by SNI; n == 0: none named), route, listener.  Fills
 * service, federation, path and route of j. */
enum err judge_head(struct judged *j, const struct proxy_conf *conf, struct str sni,
    enum listener_kind kind, struct segments *path) MUST_CHECK;

bool judge_authenticates(const struct judged *j); /* must be signed by a homeserver */
bool judge_guards(const struct judged *j);        /* is under the display name rule */
bool judge_inspects(const struct judged *j);      /* must be read whole before it is judged */
uint64_t judge_body_max(const struct judged *j, const struct proxy_conf *conf);

/* Who says to send it: X-Matrix headers. */
enum err judge_origin(struct judged *j) MUST_CHECK;
bool judge_has_stray_body(const struct judged *j); /* of a method that has none */
/* Whether they and we are members; j->list is set. */
enum err judge_membership(struct judged *j) MUST_CHECK;
/* Whether a refusal may be due to a list that is not the newest, which can be asked for; and who is
 * not on it. */
bool judge_may_be_new(const struct judged *j, enum err membership);
struct str judge_stranger(const struct judged *j);

/* What it says: j->body is here, j->keys too if it must be signed. */
enum err judge_body(struct judged *j) MUST_CHECK;
/* The invites in it, after that; j->passports is set. */
enum err judge_invites(struct judged *j) MUST_CHECK;
enum err judge_weigh_invites(struct judged *j, enum err err) MUST_CHECK; /* by the rule's mode */

/* The last word, when every fact is here.  `account`: why the account is not known, if it was asked
 * for. */
enum err judge_facts(struct judged *j, enum err account) MUST_CHECK;

/* --- for both directions --- */

bool judge_carries_xmatrix(const struct judged *j);
/* Canonical form and shape of j->body; one that is not there stays empty. */
enum err judge_understand(struct judged *j) MUST_CHECK;
/* A rule in mode `log` lets through what it would refuse, and says so; `series` counts it. */
enum err judge_weigh(
    const struct judged *j, enum rule_mode mode, enum err err, unsigned series) MUST_CHECK;

#endif
