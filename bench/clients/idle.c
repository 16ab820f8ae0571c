/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle - holds many TLS connections that have each made one request.
 *
 * Opens them one after the other, so that the proxy is not left with buffers of a crowd, prints
 * RESULT, and keeps them open until standard input ends.
 *
 * usage: idle PORT CONNECTIONS
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/clients/client.h"

int
main(int argc, char **argv)
{
	struct tally t = { 0 };
	SSL_CTX *ctx = client_context();
	uint16_t port;
	long n;
	SSL **held;

	if (argc != 3) {
		fprintf(stderr, "usage: idle PORT CONNECTIONS\n");
		return 2;
	}
	port = (uint16_t)argument(argv[1], "PORT", 1, 65535);
	n = argument(argv[2], "CONNECTIONS", 1, 100000);
	signal(SIGPIPE, SIG_IGN);
	held = calloc((size_t)n, sizeof(SSL *));
	if (held == NULL)
		return 1;
	for (long i = 0; i < n; i++) {
		held[i] = client_open(ctx, port, (unsigned)i, NULL, &t);
		if (held[i] != NULL && client_get(held[i], &t, "200"))
			t.requests++;
	}
	printf("RESULT {\"requests\": %llu, \"bad_status\": %llu, \"broken\": %llu}\n",
	    (unsigned long long)t.requests, (unsigned long long)t.bad_status,
	    (unsigned long long)t.broken);
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (long i = 0; i < n; i++)
		client_close(held[i]);
	free(held);
	SSL_CTX_free(ctx);
	return 0;
}
