/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnels - opens TLS connections one after the other in each thread, for a time, through a forward
 * proxy that ends TLS itself.
 *
 * Each connection is: TCP, CONNECT, full handshake, one GET that is refused, close.  The GET is
 * there for the same reason as in handshakes.c, and refused because nothing but the handshake is to
 * be measured: the proxy decides by the path alone.
 *
 * same: all name one host, whose certificate the proxy has after the first.  new: each names a host
 * of its own, for which a certificate has to be issued.  direct: without CONNECT, to a server that
 * refuses the same GET, for comparison.
 *
 * usage: tunnels PORT SECONDS THREADS direct|same|new GROUPS SECRET(base64)
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/clients/client.h"

#define ANSWER_MAX 1024

static uint16_t port;
static unsigned seconds, threads;
static bool direct, fresh;
static const char *groups, *secret;

/* As Synapse writes it: HTTP/1.0, no Host. */
static bool
ask_for_tunnel(int fd, const char *host)
{
	char text[512], in[ANSWER_MAX + 1];
	int n = snprintf(text, sizeof(text),
	    "CONNECT %s:8448 HTTP/1.0\r\nProxy-Authorization: Basic %s\r\n\r\n", host, secret);
	size_t have = 0;

	if (!client_send(fd, text, (size_t)n))
		return false;
	for (;;) {
		ssize_t got = have < ANSWER_MAX ? read(fd, in + have, ANSWER_MAX - have) : 0;

		if (got <= 0)
			return false;
		have += (size_t)got;
		in[have] = '\0';
		if (strstr(in, "\r\n\r\n") != NULL)
			return client_is_status(in, "200");
	}
}

/* One connection from start to end. */
static void
one(SSL_CTX *ctx, unsigned n, struct tally *t)
{
	uint64_t began = now_us();
	char host[64] = "one.bench.test";
	int fd = client_connect(port, n);
	SSL *ssl;

	/* No name of one run is one of another. */
	if (fresh)
		snprintf(host, sizeof(host), "n%d-%u.bench.test", (int)getpid(), n);
	if (fd >= 0 && !direct && !ask_for_tunnel(fd, host)) {
		close(fd);
		fd = -1;
	}
	ssl = client_shake(ctx, fd, host, NULL, t);
	if (ssl == NULL)
		return;
	tally_latency(t, now_us() - began);
	if (client_get(ssl, t, "403"))
		t->requests++;
	client_close(ssl);
}

static void
work(unsigned number, struct tally *t)
{
	SSL_CTX *ctx = client_context();
	uint64_t until = now_us() + (uint64_t)seconds * 1000000;

	if (SSL_CTX_set1_groups_list(ctx, (char *)(uintptr_t)groups) == 1)
		for (unsigned n = number; now_us() < until; n += threads)
			one(ctx, n, t);
	else
		t->broken++;
	SSL_CTX_free(ctx);
}

int
main(int argc, char **argv)
{
	direct = argc == 7 && strcmp(argv[4], "direct") == 0;
	fresh = argc == 7 && strcmp(argv[4], "new") == 0;
	if (argc != 7 || (!direct && !fresh && strcmp(argv[4], "same") != 0)) {
		fprintf(stderr, "usage: tunnels PORT SECONDS THREADS direct|same|new GROUPS "
				"SECRET\n");
		return 2;
	}
	port = (uint16_t)argument(argv[1], "PORT", 1, 65535);
	seconds = (unsigned)argument(argv[2], "SECONDS", 1, 600);
	threads = (unsigned)argument(argv[3], "THREADS", 1, 1024);
	groups = argv[5];
	secret = argv[6];
	signal(SIGPIPE, SIG_IGN);
	return run_threads(threads, work);
}
