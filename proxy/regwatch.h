/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regwatch - hears of changes at the registration service at once: a long poll without end
 * (FD-5.2.1.2-13: push).
 *
 * Control thread.  One request waits there at any time.  What is broken is tried again after a time
 * that doubles, with jitter, so that many proxies do not come back together; an answer that comes
 * at once is not followed by the next question within a second.
 */
#ifndef SCHLEUSE_PROXY_REGWATCH_H
#define SCHLEUSE_PROXY_REGWATCH_H

#include "proxy/regclient.h"

#define REGWATCH_PACE_MS 1000       /* two questions are at least that far apart */
#define REGWATCH_RETRY_MS 1000      /* after a first failure */
#define REGWATCH_RETRY_MAX_MS 15000 /* so long a change can go unheard once it is back */

struct regwatch;

struct regnews {
	bool back;                /* the first answer after a failure */
	int64_t version;          /* of the federation list there; -1: there is none */
	bool outdated;            /* that list is */
	const char *certificates; /* ETag of the PASSporT certificates, "" if not told */
};

struct regwatch_config {
	struct regclient *client; /* not owned */
	const char *name;         /* of the federation, for the log; must outlive it */
	void (*on_news)(void *arg, const struct regnews *news);
	void *arg;
};

struct regwatch *regwatch_new(struct loop *loop, const struct regwatch_config *cfg) MUST_CHECK;
void regwatch_free(struct regwatch *w);
void regwatch_pause(struct regwatch *w);
void regwatch_resume(struct regwatch *w);

bool regwatch_up(const struct regwatch *w); /* the last question was answered */

#endif
