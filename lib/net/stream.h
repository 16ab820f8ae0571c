/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - one non-blocking byte stream over a socket, TLS or not; nothing above knows which.
 *
 * A stream belongs to its loop's thread.  The owner reads and writes when it likes; what cannot be
 * done now ends in STREAM_AGAIN (or 0 bytes accepted) and the owner's callback is called once the
 * stream can go on in a direction the owner wants.  Registration with the kernel happens once
 * (edge-triggered); wanting and not wanting cost nothing.  The handshake runs by itself; the first
 * callback comes when it is over.  A stream holds no buffer while idle: ciphertext the socket did
 * not take is the only thing kept, at most one write's worth.
 */
#ifndef SCHLEUSE_NET_STREAM_H
#define SCHLEUSE_NET_STREAM_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/net/loop.h"

enum { STREAM_READ = 1, STREAM_WRITE = 2 };

enum { STREAM_EOF = 0, STREAM_AGAIN = -1, STREAM_FAILED = -2 };

#define STREAM_WRITE_MAX (64 * 1024) /* plaintext bytes one stream_write() takes at the most */

struct stream;

/* `what`: directions in which the owner should try again.  May close the stream. */
typedef void stream_fn(void *arg, unsigned what);

/* Takes over fd (non-blocking) and ssl (NULL: plain; already told to accept or connect).
 * `connecting`: fd is a socket whose connect() is in progress; the first callback, STREAM_WRITE,
 * tells its end.  NULL: out of memory; the caller still owns both. */
struct stream *stream_new(
    struct loop *loop, int fd, SSL *ssl, bool connecting, stream_fn *fn, void *arg) MUST_CHECK;

/* Bytes that were read from the socket before (copied): they are read before any other, by the TLS
 * handshake too.  Right after stream_new().  false: out of memory. */
bool stream_preload(struct stream *s, struct str early) MUST_CHECK;

/* Lets go of the socket of an open plain stream: the descriptor is the caller's, and what was
 * preloaded but not read yet is put behind `rest`.  The stream counts as closed.  -1: TLS, not
 * open, or out of memory; nothing has happened. */
int stream_release(struct stream *s, struct buf *rest) MUST_CHECK;

/* Closes at once (a TLS close_notify is attempted); the memory goes at the end of the turn. */
void stream_close(struct stream *s);

/* Sends FIN (and close_notify) but goes on reading. */
void stream_shut(struct stream *s);

/* What was written is not all there should be: nothing more is, and closing will say no
 * close_notify, so that the peer takes nothing cut off for whole. */
void stream_cut(struct stream *s);

/* Sets whom the callbacks go to from now on. */
void stream_own(struct stream *s, stream_fn *fn, void *arg);

/* Directions in which the callback is wanted; a direction that is ready already leads to a call at
 * the end of this turn. */
void stream_want(struct stream *s, unsigned what);

/* The next stream_read() asks the socket even though the last bytes seemed to be all.  A reset that
 * was announced together with those bytes is not announced again: who is about to wait for the rest
 * of something looks once more. */
void stream_doubt(struct stream *s);

/* Asks the socket whether the peer has neither ended nor said anything for the owner; messages of
 * TLS itself, such as a session ticket, are dealt with and count as nothing.  If it has, the stream
 * is good for closing only: a byte is lost. */
bool stream_quiet(struct stream *s);

/* Nothing is expected for a while: gives back what OpenSSL would keep for the next record. */
void stream_rest(struct stream *s);

/* Bytes read (> 0), STREAM_EOF, STREAM_AGAIN or STREAM_FAILED. */
ssize_t stream_read(struct stream *s, char *p, size_t n);

/* Bytes taken, 0: try again when STREAM_WRITE is signalled; STREAM_FAILED.  On a plain stream what
 * the peer sent before it closed can still be read then: an HTTP server may answer and close before
 * it has read all of a request. */
ssize_t stream_write(struct stream *s, struct str data);

/* Whether ciphertext waits for the socket. */
bool stream_unsent(const struct stream *s);

/* Bytes written (as ciphertext, with TLS) that the peer's kernel has not acknowledged; asks the
 * socket. */
size_t stream_backlog(const struct stream *s);

bool stream_open(const struct stream *s); /* connected and, with TLS, the handshake is over */
bool stream_failed(
    const struct stream *s); /* for good, in both directions or (plain) in that of writing */
SSL *stream_ssl(const struct stream *s); /* NULL: plain */
int stream_fd(const struct stream *s);

#endif
