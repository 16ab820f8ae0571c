/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - one question to the service over its control socket: HTTP/1.1, blocking, one connection.
 */
#ifndef SCHLEUSE_CTL_ASK_H
#define SCHLEUSE_CTL_ASK_H

#include "lib/base/buf.h"

struct answer {
	int status;
	struct buf raw;  /* head and body */
	struct str body; /* in raw */
};

/* body.n == 0: none.  false: no answer, and why was printed. */
bool ask(const char *socket_path, const char *method, const char *path, struct str body,
    struct answer *out) __attribute__((warn_unused_result));
void answer_fini(struct answer *a); /* wipes it: it may hold a secret */

#endif
