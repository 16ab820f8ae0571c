/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the control thread: configuration, signals, federation lists, look-ups, admin listener.
 */
#ifndef SCHLEUSE_PROXY_CONTROL_H
#define SCHLEUSE_PROXY_CONTROL_H

#include "lib/fact/fact.h"
#include "proxy/config.h"
#include "proxy/invites.h"

struct control;

/* Runs the daemon with this configuration (takes over the reference) until SIGTERM or SIGINT, or
 * until a successor, started with argv, has taken over; returns the exit status. */
int control_run(struct proxy_conf *conf, char *const *argv);

/* --- for workers; on the control thread, but the first three on any --- */

struct loop *control_loop(struct control *c);
struct connlimit *control_connections(struct control *c);
struct rates *control_rates(struct control *c);
struct fact_cache *control_keys(struct control *c);
struct fact_cache *control_misses(struct control *c);
struct fact_cache *control_destinations(struct control *c);
struct fact_cache *control_owners(struct control *c);
struct fact_cache *control_accounts(struct control *c);
struct list *control_questions(struct control *c); /* of workers, waiting here */
struct list *control_invite_questions(struct control *c);
void control_forget_accounts(struct control *c);
void control_worker_ended(struct control *c);
void control_note_invite(struct control *c, const struct invite_digest *d);
bool control_knows_invite(struct control *c, const struct invite_digest *d);
bool control_shares_state(const struct control *c); /* another process may be noting invites too */

#endif
