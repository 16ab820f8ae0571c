/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn - server side of HTTP/1.1 connections: heads in, exchanges out, keep-alive and pipelining.
 *
 * One exchange at a time per connection; pipelined bytes wait in the buffer.  For server.c only.
 */
#ifndef SCHLEUSE_HTTP_H1CONN_H
#define SCHLEUSE_HTTP_H1CONN_H

#include "lib/http/server.h"

/* Goes on with a connection whose stream is open; on success it has moved (http_conn_move()).
 * false: out of memory, nothing changed. */
bool h1conn_begin(struct http_conn *from) MUST_CHECK;

#endif
