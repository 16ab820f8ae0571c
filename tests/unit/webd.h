/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webd - an HTTPS server on the loop of the test, HTTP/2 or HTTP/1.1, on a port of 127.0.0.1.
 *
 * Its certificate is for the name "test" and its own issuer.  Requests are kept in the order in
 * which they are complete and answered with what the test says, or held until it does.
 */
#ifndef SCHLEUSE_TESTS_WEBD_H
#define SCHLEUSE_TESTS_WEBD_H

#include <openssl/ssl.h>

#include "lib/http/server.h"
#include "lib/net/listener.h"

#define WEBD_REQUESTS 256

struct webd_request {
	struct webd *webd;
	struct exchange *held; /* not answered yet; NULL: answered, or gone */
	bool gone;             /* the client took it back */
	char method[16], target[1024];
	char fields[4096]; /* "name: value\n" each */
	char body[5000];
	size_t body_n;
	bool certificate; /* the client showed one */
};

struct webd {
	struct loop *loop;
	struct http_server server;
	struct listener *listener;
	int fd;
	uint16_t port;
	EVP_PKEY *key;
	X509 *cert;
	X509_STORE *anchors;
	SSL_CTX *tls;
	bool h1; /* HTTP/2 is not offered */
	int counts[HTTP_COUNTS];
	size_t n; /* requests that are complete */
	struct webd_request requests[WEBD_REQUESTS];
	unsigned refuse; /* so many of the next ones with REFUSED_STREAM, unseen */
	/* the answer to the next ones */
	bool hold;
	int status;
	const char *fields; /* "Name: value\r\n" each */
	struct str body;
};

void webd_open(struct webd *d, struct loop *loop);
void webd_ask_certificate(struct webd *d, X509 *issuer); /* of clients, which need not have one */
void webd_answer(struct webd_request *r);                /* a held one */
void webd_cut(struct webd *d);                           /* closes all connections */
/* Value of a field of the request; "" if absent; valid until the next call. */
const char *webd_field(const struct webd_request *r, const char *name);
void webd_close(struct webd *d);

#endif
