/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_int - what the files of the control thread share: control.c (start, letters, stop),
 * tell.c (news for workers), reload.c (a new configuration), leave.c (hand-over and drain),
 * status.c (what operators ask).
 */
#ifndef SCHLEUSE_PROXY_CONTROL_INT_H
#define SCHLEUSE_PROXY_CONTROL_INT_H

#include "lib/daemon/admin.h"
#include "lib/daemon/heartbeat.h"
#include "proxy/control.h"
#include "proxy/handover.h"
#include "proxy/outside.h"
#include "proxy/staple.h"
#include "proxy/tickets.h"
#include "proxy/worker.h"

struct control {
	struct loop *loop;
	char *const *argv;
	struct proxy_conf *conf;
	struct outside out;
	struct fedlink_events events; /* of its federations */
	struct invites *invites;
	struct tickets *tickets;
	struct connlimit *connections;
	struct rates *rates;
	struct staple_keeper *staples;
	struct listeners *listeners;  /* one reference; NULL while draining */
	struct timer settle;          /* until listeners being given up are closed */
	struct inheritance inherited; /* its predecessor may still run */
	struct worker **workers;
	unsigned n_workers, n_ended;
	struct list questions, invite_questions;
	struct admin *admin;
	struct signals *signals;
	struct heartbeat *heartbeat;
	struct handover *handover; /* under way, or done while we drain */
	bool draining;
	bool reload_wanted; /* asked for during a hand-over */
};

/* --- tell.c --- */

void control_on_list(void *arg, size_t federation, const struct fedlist *list, int64_t as_of);
void control_on_passports(void *arg, size_t federation, struct passport_trust *trust);
void control_on_tickets(void *arg, struct tls_tickets *now);
void control_on_health(void *arg, size_t number, bool up);
void control_on_staples(void *arg, struct tls_staples *now);

/* --- control.c --- */

struct admin *control_open_admin(struct control *c, const struct listeners *l);

/* --- reload.c --- */

void reload(struct control *c);
/* Puts listeners in force on all workers; takes the reference. */
void reload_listeners(struct control *c, struct listeners *l);
void reload_settle(void *arg); /* of the timer `settle` */

/* --- leave.c --- */

void leave_to_successor(struct control *c);
/* Accepts no more; the process ends when the last connection has.  `why` is for the log. */
void leave(struct control *c, const char *why);

/* --- status.c --- */

void status_missing(void *arg, struct buf *out);
void status_refresh(void *arg);
bool status_more(void *arg, struct buf *out);

#endif
