/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curlloop - libcurl's multi interface on the loop.
 *
 * Easy handles are the caller's: configured, added, removed and freed by him.  CURLOPT_PRIVATE is
 * what `ended` gets.  One thread, the loop's.  For fetch and courier.
 */
#ifndef SCHLEUSE_HTTP_CURLLOOP_H
#define SCHLEUSE_HTTP_CURLLOOP_H

#include <curl/curl.h>

#include "lib/net/loop.h"

struct curlloop;

/* ended is called when the transfer of a handle is over; it must not remove the handle, or anything
 * else, before the loop's next turn. */
struct curlloop *curlloop_new(
    struct loop *loop, void (*ended)(void *of_handle, CURLcode code)) MUST_CHECK;
void curlloop_free(struct curlloop *c); /* NULL is allowed; every handle was removed */

/* Of connections, all to one host: others wait, and so many are kept; of streams that one HTTP/2
 * connection has at the same time. */
void curlloop_limit(struct curlloop *c, size_t connections, size_t streams);

bool curlloop_add(struct curlloop *c, CURL *easy) MUST_CHECK;
void curlloop_remove(struct curlloop *c, CURL *easy); /* also while its transfer runs */

#endif
