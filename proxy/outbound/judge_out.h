/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_out - what our homeserver may ask others: the rules in their order, with their modes
 * (FD-5.2.1.2-7 to -9, -15; O-11, O-13).
 *
 * The counterpart of judge.h, of which it uses what both directions have in common.  Nothing here
 * waits or does I/O.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_JUDGE_OUT_H
#define SCHLEUSE_PROXY_OUTBOUND_JUDGE_OUT_H

#include "proxy/outbound/aim.h"
#include "proxy/rules/rules.h"

/* By the head alone: whether it is a federation request, then the route is set, or one to an
 * allowed destination.  j->service is set. */
enum err judge_out_head(struct judged *j, struct aim *aim, struct segments *path) MUST_CHECK;

bool judge_out_is_federation(const struct judged *j);
bool judge_out_is_signed(const struct judged *j);    /* must be, or is anyway */
bool judge_out_inspects(const struct judged *j);     /* must be read whole before it is judged */
bool judge_out_verifies(const struct judged *j);     /* the homeserver's own signature counts */
bool judge_out_asks_domains(const struct judged *j); /* those in its events count */

/* What the X-Matrix headers say, or without them what the path and the target say, about whom it is
 * meant for: j->destination, of n == 0 if only discovery can tell. */
enum err judge_out_destination(struct judged *j, const struct aim *aim) MUST_CHECK;

/* The one named by Host, unless only another one is a member that discovery has found at host and
 * port lately; j->list is set.  ERR_MEMORY. */
enum err judge_out_owner(struct judged *j, const struct aim *aim) MUST_CHECK;

/* Its canonical form and the homeserver's signature: j->body, and j->keys if they count. */
enum err judge_out_body(struct judged *j, enum err keys) MUST_CHECK;

/* The domains in its events, by the rule's mode; `last`: nothing more can be learnt of them. */
enum err judge_out_domains(struct judged *j, bool last) MUST_CHECK;

/* O-13: host and port, and the name TLS was asked for, belong to the destination. */
enum err judge_out_tie(const struct judged *j, const struct aim *aim) MUST_CHECK;

#endif
