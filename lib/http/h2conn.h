/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn - server side of HTTP/2 connections (RFC 9113, nghttp2): each stream is an exchange.
 *
 * Streams share the connection fairly: a client's priorities are not followed.  Both windows are
 * opened again as handlers take the bytes, so a connection never holds more than its window.  For
 * server.c only.
 */
#ifndef SCHLEUSE_HTTP_H2CONN_H
#define SCHLEUSE_HTTP_H2CONN_H

#include "lib/http/server.h"

/* Goes on with a connection whose stream is open; on success it has moved (http_conn_move()).
 * false: out of memory. */
bool h2conn_begin(struct http_conn *from) MUST_CHECK;

void h2conn_drop_spares(struct http_server *s);

#endif
