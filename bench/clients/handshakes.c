/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes - opens TLS 1.3 connections one after the other in each thread, for a time.
 *
 * Each connection is: TCP, handshake, one small GET, close.  The GET is part of it because in
 * TLS 1.3 a client is done before the server is: without it, a server could be left with work
 * undone, and the tickets, which follow the handshake, would be written to a peer that has gone.
 *
 * full: no session is offered.  resumed: each thread has one full handshake before the time begins
 * to count for it; every later connection offers the newest ticket (psk_dhe_ke, the only mode
 * OpenSSL offers).  A connection that was not resumed then counts as broken, for it would be
 * another work.
 *
 * GROUPS is what the client offers, in OpenSSL's words, the key share being of the first: a server
 * that does not take that one asks again, which costs a round trip and another key.
 *
 * usage: handshakes PORT SECONDS THREADS full|resumed GROUPS
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clients/client.h"

static uint16_t port;
static unsigned seconds, threads;
static bool resume;
static const char *groups;

static __thread SSL_SESSION *newest; /* the last ticket this thread was given */

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct tally *t = SSL_get_app_data(ssl);

	t->tickets++;
	SSL_SESSION_free(newest);
	newest = session;
	return 1;
}

/* One connection from start to end. */
static void
one(SSL_CTX *ctx, unsigned n, struct tally *t)
{
	uint64_t began = now_us();
	SSL *ssl = client_open(ctx, port, n, resume ? newest : NULL, t);

	if (ssl == NULL)
		return;
	tally_latency(t, now_us() - began);
	if (SSL_session_reused(ssl))
		t->resumed++;
	else if (resume && newest != NULL)
		t->broken++;
	if (client_get(ssl, t, "200"))
		t->requests++;
	client_close(ssl);
}

static void
work(unsigned number, struct tally *t)
{
	SSL_CTX *ctx = client_context();
	uint64_t until;
	unsigned n = number;

	if (SSL_CTX_set1_groups_list(ctx, (char *)(uintptr_t)groups) != 1) {
		fprintf(stderr, "handshakes: unknown groups: %s\n", groups);
		exit(2);
	}
	if (resume) {
		SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_ticket);
		one(ctx, n, t);
		t->requests = t->n_latency = 0;
		if (newest == NULL)
			t->broken++;
	}
	until = now_us() + (uint64_t)seconds * 1000000;
	while (now_us() < until)
		one(ctx, n += threads, t);
	SSL_SESSION_free(newest);
	SSL_CTX_free(ctx);
}

int
main(int argc, char **argv)
{
	if (argc != 6 || (strcmp(argv[4], "full") != 0 && strcmp(argv[4], "resumed") != 0)) {
		fprintf(stderr, "usage: handshakes PORT SECONDS THREADS full|resumed GROUPS\n");
		return 2;
	}
	port = (uint16_t)argument(argv[1], "PORT", 1, 65535);
	seconds = (unsigned)argument(argv[2], "SECONDS", 1, 600);
	threads = (unsigned)argument(argv[3], "THREADS", 1, 1024);
	resume = strcmp(argv[4], "resumed") == 0;
	groups = argv[5];
	signal(SIGPIPE, SIG_IGN);
	return run_threads(threads, work);
}
