/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept - a worker's listeners, and which connections it takes from them.
 */
#ifndef SCHLEUSE_PROXY_ACCEPT_H
#define SCHLEUSE_PROXY_ACCEPT_H

#include "proxy/worker.h"

/* Starts accepting on the sockets, one for each configured listener; takes them over. */
bool accept_listen(struct worker *w, const int *sockets, size_t n) MUST_CHECK;
void accept_stop(struct worker *w); /* accepts no more */

#endif
