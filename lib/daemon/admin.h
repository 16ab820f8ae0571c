/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - the admin listener: /health, /ready, /metrics for operators and their tools.
 *
 * Plain HTTP on loopback or a unix socket only, on the control thread.
 */
#ifndef SCHLEUSE_DAEMON_ADMIN_H
#define SCHLEUSE_DAEMON_ADMIN_H

#include "lib/base/buf.h"
#include "lib/net/loop.h"

struct admin;

struct admin_config {
	int socket; /* bound and listening; taken over */
	/* Appends one line for each thing that is missing; nothing: ready. */
	void (*missing)(void *arg, struct buf *out);
	void (*refresh)(void *arg); /* before metrics are printed; may be NULL */
	/* Appends metrics whose labels come from the configuration; false: out of memory.  May be
	 * NULL. */
	bool (*more)(void *arg, struct buf *out);
	void *arg;
};

/* NULL: the socket is still the caller's. */
struct admin *admin_new(struct loop *loop, const struct admin_config *cfg) MUST_CHECK;
void admin_free(struct admin *a);

#endif
