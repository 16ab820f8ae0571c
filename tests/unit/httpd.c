/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/httpd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/pki.h"

static void
listen_on(struct httpd *h, const struct sockaddr *sa, socklen_t len)
{
	h->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(h->fd, sa, len), 0);
	cr_assert_eq(listen(h->fd, 16), 0);
}

static void
open_tls(struct httpd *h)
{
	const struct pki_certificate want = { 0 };

	h->key = pki_key(PKI_P256);
	h->cert = pki_certificate(h->key, &want);
	h->anchors = pki_store(h->cert);
	h->tls = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate(h->tls, h->cert), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(h->tls, h->key), 1);
}

void
httpd_open(struct httpd *h, bool tls)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	*h = (struct httpd){ 0 };
	listen_on(h, (const struct sockaddr *)&sa, sizeof(sa));
	getsockname(h->fd, (struct sockaddr *)&sa, &len);
	h->port = ntohs(sa.sin_port);
	if (tls)
		open_tls(h);
}

void
httpd_open_at(struct httpd *h, const char *address, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(inet_pton(AF_INET, address, &sa.sin_addr), 1);
	if (bind(probe, (const struct sockaddr *)&sa, sizeof(sa)) != 0)
		cr_skip_test("port %u is not ours to take", port);
	close(probe);
	*h = (struct httpd){ .port = port };
	listen_on(h, (const struct sockaddr *)&sa, sizeof(sa));
	open_tls(h);
}

void
httpd_open_unix(struct httpd *h, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	*h = (struct httpd){ 0 };
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	listen_on(h, (const struct sockaddr *)&un, sizeof(un));
}

/* Whether all of the request is there: a peer that still sends would lose the reply. */
static bool
complete(const char *request, size_t n)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strcasestr(request, "\r\nContent-Length:");

	if (end == NULL || length == NULL || length > end)
		return end != NULL;
	/* a body may hold NULs */
	return n - (size_t)(end + 4 - request) >=
	       strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static void
talk(int fd, SSL *ssl, char *request, size_t size, const char *reply, size_t reply_size)
{
	size_t n = 0;

	while (!complete(request, n) && n < size - 1) {
		ssize_t r = ssl != NULL ? SSL_read(ssl, request + n, (int)(size - 1 - n))
					: read(fd, request + n, size - 1 - n);

		if (r <= 0)
			return;
		n += (size_t)r;
		request[n] = '\0';
	}
	if (ssl != NULL) {
		SSL_write(ssl, reply, (int)reply_size);
		SSL_shutdown(ssl);
	} else if (write(fd, reply, reply_size) < 0) {
		return;
	}
}

static void *
serve(void *arg)
{
	struct httpd *h = arg;

	for (size_t i = 0; h->replies[i] != NULL; i++) {
		int fd = accept(h->fd, NULL, NULL);
		SSL *ssl = NULL;

		if (fd < 0)
			break;
		if (h->tls != NULL) {
			ssl = SSL_new(h->tls);
			SSL_set_fd(ssl, fd);
		}
		if (ssl == NULL || SSL_accept(ssl) == 1)
			talk(fd, ssl, h->requests[i], sizeof(h->requests[i]), h->replies[i],
			    h->reply_sizes[i] != 0 ? h->reply_sizes[i] : strlen(h->replies[i]));
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

void
httpd_start(struct httpd *h)
{
	signal(SIGPIPE, SIG_IGN); /* a client that refuses the certificate goes away early */
	cr_assert_eq(pthread_create(&h->thread, NULL, serve, h), 0);
	h->running = true;
}

void
httpd_close(struct httpd *h)
{
	shutdown(h->fd, SHUT_RDWR); /* ends accept() */
	if (h->running)
		pthread_join(h->thread, NULL);
	close(h->fd);
	SSL_CTX_free(h->tls);
	X509_STORE_free(h->anchors);
	X509_free(h->cert);
	EVP_PKEY_free(h->key);
}
