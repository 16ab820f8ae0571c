/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxytunnel - the words of CONNECT (RFC 9110 9.3.6) between us and an HTTP proxy on our way out.
 *
 * Pure.  The answer is read strictly: only 200 opens the tunnel, its length fields mean nothing,
 * and the bytes behind its head are the tunnel's already.
 */
#ifndef SCHLEUSE_NET_PROXYTUNNEL_H
#define SCHLEUSE_NET_PROXYTUNNEL_H

#include "lib/base/buf.h"

#define PROXYTUNNEL_HEAD_MAX 8192 /* of an answer */

/* Writes the request.  to: "host:port"; authorization: value of Proxy-Authorization, or NULL.
 * false: out of memory, or a line break in one of them. */
bool proxytunnel_ask(struct buf *out, const char *to, const char *authorization)
    __attribute__((warn_unused_result));

enum proxytunnel_answer {
	PROXYTUNNEL_MORE,    /* the head is not complete */
	PROXYTUNNEL_OPEN,    /* *len is the length of the head */
	PROXYTUNNEL_REFUSED, /* *status tells */
	PROXYTUNNEL_BAD      /* not an answer of HTTP/1, or too long */
};

/* `got`: all that has been received, or its first PROXYTUNNEL_HEAD_MAX bytes. */
enum proxytunnel_answer proxytunnel_read(struct str got, size_t *len, int *status);

#endif
