/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_int - between delayq.c and the back ends; nobody else includes it.
 *
 * A back end embeds struct delayq and struct delayq_call as first members of its own.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_INT_H
#define SCHLEUSE_PUSHGW_DELAYQ_INT_H

#include "pushgw/queue/delayq.h"

/* Each as the function of the same name in delayq.h. */
struct delayq_backend {
	void (*free)(struct delayq *q);
	/* q->cfg is still the old one, and becomes the new one when this returns true. */
	bool (*adopt)(struct delayq *q, const struct delayq_config *cfg);
	struct delayq_call *(*put)(struct delayq *q, const struct push *pushes, size_t n,
	    delayq_put_fn *fn, void *arg); /* n > 0 */
	void (*cancel)(struct delayq_call *c);
	size_t (*finish)(struct delayq *q, struct delayq_job *job, bool rejected);
	void (*later)(struct delayq *q, struct delayq_job *job, clock_ms after);
	void (*kick)(struct delayq *q, unsigned lane);
	void (*measure)(const struct delayq *q, struct delayq_gauges *out);
};

struct delayq_call {
	struct delayq *q;
};

struct delayq {
	const struct delayq_backend *backend;
	struct loop *loop;
	struct delayq_config cfg; /* lanes: our own copies */
	enum err known, now;      /* state as last told, and as it is */
	struct task tell;
};

/* Copies the configuration.  false: out of memory; delayq_fini() may be called all the same. */
bool delayq_init(struct delayq *q, const struct delayq_backend *backend, struct loop *loop,
    const struct delayq_config *cfg) MUST_CHECK;
void delayq_fini(struct delayq *q);
void delayq_report(struct delayq *q, enum err why); /* the state; told later, if it is new */

#endif
