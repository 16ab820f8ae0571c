/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - what the load generators of the benchmarks share.
 *
 * They are blocking programs with one thread per connection in progress: the time of a TLS
 * operation is so much longer than that of a switch between threads that the simple form costs the
 * measurement nothing, and the proxy is the one to be busy.  Connections leave from many addresses
 * of 127.0.0.0/8, so that neither ports in TIME_WAIT nor a proxy's limits per address come into
 * play. Each program prints one line, "RESULT " and a JSON object, as bench/wrk.lua does.
 */
#ifndef SCHLEUSE_BENCH_CLIENT_H
#define SCHLEUSE_BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a thread counted.  Latencies are kept up to a bound; beyond it they are only counted. */
struct tally {
	uint64_t requests, bytes, bad_status, broken, resumed, tickets;
	uint32_t *latency_us;
	size_t n_latency;
};

/* The clock all durations are taken from. */
uint64_t now_us(void);

/* An integer argument between the bounds; ends the program with a message if it is none. */
long argument(const char *text, const char *what, long min, long max);

/* TLS 1.3 only, no verification of the chain: the certificate's signature over the handshake is
 * checked all the same.  Ends the program if there is no memory. */
SSL_CTX *client_context(void);

/* A TCP connection to the port on loopback; `n` chooses the address it leaves from.  -1: failed. */
int client_connect(uint16_t port, unsigned n);

/* A connection to a unix socket.  -1: failed. */
int client_connect_unix(const char *path);

/* Sends all of it at once.  false: broken. */
bool client_send(int fd, const void *data, size_t n);

/* TLS on a connection, which it closes if it fails: NULL then, counted as broken.  `session` may be
 * NULL. */
SSL *client_shake(SSL_CTX *ctx, int fd, const char *host, SSL_SESSION *session, struct tally *t);

/* Connects and shakes hands; `session` may be NULL.  NULL: failed, counted as broken. */
SSL *client_open(SSL_CTX *ctx, uint16_t port, unsigned n, SSL_SESSION *session, struct tally *t);

/* Says goodbye and closes.  `ssl` may be NULL. */
void client_close(SSL *ssl);

/* Writes all.  false: broken. */
bool client_write(SSL *ssl, const void *data, size_t n);

/* Whether a response begins with that status ("200"), whose head this is. */
bool client_is_status(const char *head, const char *status);

/* Content-Length of the head that ends before `end`.  false: there is none. */
bool client_length(const char *head, const char *end, uint64_t *length);

/* Reads one response with Content-Length.  Its body is dropped as it comes; `bytes`, if given,
 * counts it, and reading ends early (still true) once now_us() is past `until` (0: never).  Another
 * status than the one given is counted.  false: broken. */
bool client_response(
    SSL *ssl, struct tally *t, const char *status, uint64_t *bytes, uint64_t until);

/* A GET of the small JSON text, and its response, which is to have that status.  false: broken,
 * counted. */
bool client_get(SSL *ssl, struct tally *t, const char *status);

void tally_latency(struct tally *t, uint64_t us);

/* Runs `work` in `threads` threads with a tally each, waits for them and prints the sum as RESULT.
 * Returns the program's exit status. */
int run_threads(unsigned threads, void (*work)(unsigned number, struct tally *t));

#endif
