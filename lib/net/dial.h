/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial - a socket on its way to an address, without waiting.
 */
#ifndef SCHLEUSE_NET_DIAL_H
#define SCHLEUSE_NET_DIAL_H

#include <stdbool.h>
#include <sys/socket.h>

/* A non-blocking stream socket, ready for stream_new(); *connecting: the connect() is in progress.
 * -1 with errno: refused on the spot; EAGAIN: the listen queue of a unix socket is full. */
int dial(const struct sockaddr_storage *to, socklen_t len, bool *connecting)
    __attribute__((warn_unused_result));

#endif
