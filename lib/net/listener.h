/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener - a listening socket on a loop: accepts, pauses when there is no room, never spins.
 *
 * Sockets are bound by listener_bind() on the control thread, one per worker with SO_REUSEPORT, or
 * inherited, and lent to the workers.  Out of descriptors the listener pauses for LISTENER_PAUSE_MS
 * and says so once.
 *
 * Closing a listening socket resets the connections that wait in its queue, and those whose
 * handshake is not over.  So whoever gives one up calls listener_refuse(), which lets no new
 * handshake begin, gives the running ones time to end, and calls listener_sweep() before the end.
 */
#ifndef SCHLEUSE_NET_LISTENER_H
#define SCHLEUSE_NET_LISTENER_H

#include <sys/socket.h>

#include "lib/net/loop.h"

#define LISTENER_PAUSE_MS 200

struct listener;

/* A bound, listening, non-blocking socket or -1 with errno.  Exactly one of unix_path and host is
 * given; port 0 means any. A stale unix socket file is replaced.  Sockets of one address share it
 * by SO_REUSEPORT (not unix ones). */
int listener_bind(const char *unix_path, const char *host, uint16_t port) MUST_CHECK;

/* The same for a unix socket whose file gets this mode.  Replaces the file of a socket, nothing
 * else: EEXIST. */
int listener_bind_unix(const char *path, unsigned mode) MUST_CHECK;
bool listener_taken_unix(const char *path); /* somebody listens there; it would be replaced */

/* Whether another socket already listens there.  Sharing by SO_REUSEPORT would hide it, and
 * connections would go astray. */
bool listener_taken(const char *host, uint16_t port);

/* While on, no new TCP handshake begins at this socket: the first packet is dropped, so that the
 * client tries again a second later.  Those under way end well.  false with errno. */
bool listener_refuse(int fd, bool on) MUST_CHECK;

/* Text of the address a socket is bound to, "127.0.0.1:8448" or "unix:/path"; returns out. */
char *listener_address(int fd, char *out, size_t size);

typedef void listener_fn(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len);

/* fd stays the caller's and must be open until listener_free().  fn owns the accepted descriptors.
 * Several listeners, on loops of different threads or processes, may share one socket. */
struct listener *listener_new(struct loop *loop, int fd, listener_fn *fn, void *arg) MUST_CHECK;
void listener_free(struct listener *l);
void listener_sweep(struct listener *l); /* accepts at once all that wait */

/* `fn` is called with the listener's arg whenever it pauses because accepting fails. */
void listener_on_failure(struct listener *l, void (*fn)(void *arg));

void listener_pause(struct listener *l); /* accepts nothing until listener_resume() */
void listener_resume(struct listener *l);

#endif
