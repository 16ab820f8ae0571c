/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd - a server in a thread of the test: one connection after the other, each with its canned
 * reply.
 *
 * TLS with a certificate made on the spot for the name "test", or plain; on a port of 127.0.0.1 or
 * a unix socket.  Failing to set up ends the test.
 */
#ifndef SCHLEUSE_TESTS_HTTPD_H
#define SCHLEUSE_TESTS_HTTPD_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTPD_REPLIES 12

struct httpd {
	int fd;
	uint16_t port;       /* of TCP */
	X509 *cert;          /* of TLS; its own issuer */
	X509_STORE *anchors; /* trusting cert */
	EVP_PKEY *key;
	SSL_CTX *tls;
	const char *replies[HTTPD_REPLIES + 1];
	size_t reply_sizes[HTTPD_REPLIES];  /* 0: up to the NUL */
	char requests[HTTPD_REPLIES][4096]; /* as received; "" if the handshake failed */
	pthread_t thread;
	bool running;
};

void httpd_open(struct httpd *h, bool tls);
/* At this address and port, with TLS; skips the test if the port is not ours to take. */
void httpd_open_at(struct httpd *h, const char *address, uint16_t port);
void httpd_open_unix(struct httpd *h, const char *path);
void httpd_start(struct httpd *h); /* serves h->replies until NULL */
void httpd_close(struct httpd *h);

#endif
