/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfers - large bodies over keep-alive TLS connections, one thread each, for a time.
 *
 * down: GETs of a body of BYTES, one after the other; what is read when the time is over counts.
 * up: POSTs of a body of BYTES; what was handed to TLS within the time counts.  The rest, a few
 * socket buffers, is small beside what goes through in a second.  Each finished transfer counts as
 * a request.
 *
 * usage: transfers PORT SECONDS CONNECTIONS down|up BYTES
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clients/client.h"

#define CHUNK (256 << 10) /* of an upload, given to TLS at once */

static uint16_t port;
static unsigned seconds;
static bool up;
static long size;
static const char filler[CHUNK];

/* One download; false: broken. */
static bool
download(SSL *ssl, struct tally *t, uint64_t until)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	    "GET /_matrix/media/v3/download/localhost/%ld HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    size);

	return client_write(ssl, head, (size_t)n) &&
	       client_response(ssl, t, "200", &t->bytes, until);
}

/* One upload, ended early when the time is over; false: broken. */
static bool
upload(SSL *ssl, struct tally *t, uint64_t until)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	    "POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/octet-stream\r\nContent-Length: %ld\r\n\r\n",
	    size);
	size_t left = (size_t)size;

	if (!client_write(ssl, head, (size_t)n))
		return false;
	while (left > 0 && now_us() < until) {
		size_t part = left < CHUNK ? left : CHUNK;

		if (!client_write(ssl, filler, part))
			return false;
		left -= part;
		t->bytes += part;
	}
	return left > 0 || client_response(ssl, t, "200", NULL, 0);
}

static void
work(unsigned number, struct tally *t)
{
	SSL_CTX *ctx = client_context();
	uint64_t until = now_us() + (uint64_t)seconds * 1000000;
	SSL *ssl = NULL;

	while (now_us() < until) {
		if (ssl == NULL && (ssl = client_open(ctx, port, number, NULL, t)) == NULL)
			continue;
		if (up ? upload(ssl, t, until) : download(ssl, t, until)) {
			t->requests += now_us() < until;
		} else {
			t->broken++;
			client_close(ssl);
			ssl = NULL;
		}
	}
	client_close(ssl);
	SSL_CTX_free(ctx);
}

int
main(int argc, char **argv)
{
	unsigned connections;

	if (argc != 6 || (strcmp(argv[4], "down") != 0 && strcmp(argv[4], "up") != 0)) {
		fprintf(stderr, "usage: transfers PORT SECONDS CONNECTIONS down|up BYTES\n");
		return 2;
	}
	port = (uint16_t)argument(argv[1], "PORT", 1, 65535);
	seconds = (unsigned)argument(argv[2], "SECONDS", 1, 600);
	connections = (unsigned)argument(argv[3], "CONNECTIONS", 1, 1024);
	up = strcmp(argv[4], "up") == 0;
	size = argument(argv[5], "BYTES", 1, 1L << 40);
	signal(SIGPIPE, SIG_IGN);
	return run_threads(connections, work);
}
