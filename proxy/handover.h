/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover - a successor takes over the listening sockets, so that an upgrade loses nothing.
 *
 * The old process starts the program anew, from the same path and with the same arguments, and
 * gives it the listening sockets and the keys of TLS tickets through a socket pair.  The successor
 * reads its configuration, starts, and says that it is ready; only then the old one accepts no more
 * and drains.  While both run, both accept from the same queues; none is ever closed.  A successor
 * that ends, or is not ready in time, changes nothing.
 *
 * Control thread.  What arrives is trusted: it comes from our own parent.
 */
#ifndef SCHLEUSE_PROXY_HANDOVER_H
#define SCHLEUSE_PROXY_HANDOVER_H

#include <sys/types.h>

#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "proxy/listeners.h"

struct handover;

struct handover_config {
	struct loop *loop;
	char *const *argv; /* of this process */
	const struct listeners *listeners;
	const struct tls_tickets *tickets;
	clock_ms timeout;
	/* Later and at most once; ready == false: it failed, which is logged. */
	void (*done)(void *arg, bool ready);
	void *arg;
};

/* NULL: logged. */
struct handover *handover_start(const struct handover_config *cfg) MUST_CHECK;
pid_t handover_pid(const struct handover *h);
/* Ends a successor that is not ready yet.  One that is sees that we are gone.  NULL is allowed. */
void handover_free(struct handover *h);

/* --- the other side --- */

/* What a process was started with, by a predecessor or by the service manager (LISTEN_FDS). */
struct inheritance {
	struct listeners *listeners; /* one reference, or NULL */
	struct tls_tickets *tickets; /* one reference, or NULL */
	int predecessor;             /* socket, or -1 */
};

/* Once, before threads are started: it changes the environment.  false: logged; the process should
 * end, nothing was taken from anybody. */
bool inheritance_take(struct inheritance *in, const struct proxy_conf *conf) MUST_CHECK;
void inheritance_ready(const struct inheritance *in);  /* the predecessor may go */
bool inheritance_shared(const struct inheritance *in); /* the predecessor still runs */
void inheritance_fini(struct inheritance *in);

#endif
