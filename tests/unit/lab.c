/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void
lab_turn(struct loop *l)
{
	loop_turn(l);
	usleep(100);
}

static void
on_passed(void *arg)
{
	*(bool *)arg = true;
}

void
lab_pass(struct loop *l, clock_ms ms)
{
	struct timer t;
	bool passed = false;

	timer_init(&t, on_passed, &passed);
	timer_set(l, &t, ms);
	UNTIL(l, passed);
}

static void
open_end(struct lab_end *e, int fd)
{
	*e = (struct lab_end){ .fd = fd, .got = calloc(1, 1) };
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

int
lab_pair(struct lab_end *far)
{
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	open_end(far, fd[1]);
	return fd[0];
}

int
lab_listen(unsigned short *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	cr_assert_eq(listen(fd, 64), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

bool
lab_accepted(int listener, struct lab_end *far)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		open_end(far, fd);
	return fd >= 0;
}

size_t
lab_put(struct lab_end *e, const char *p, size_t n)
{
	ssize_t put;

	if (e->ssl != NULL) {
		put = SSL_write(e->ssl, p, (int)n);
		ERR_clear_error();
	} else {
		put = send(e->fd, p, n, MSG_NOSIGNAL);
	}
	return put > 0 ? (size_t)put : 0;
}

void
lab_say(struct lab_end *e, const char *text)
{
	cr_assert_eq(lab_put(e, text, strlen(text)), strlen(text), "the socket did not take it");
}

static ssize_t
read_some(struct lab_end *e, char *p, size_t n)
{
	int r;

	if (e->ssl == NULL)
		return recv(e->fd, p, n, 0);
	r = SSL_read(e->ssl, p, (int)n);
	if (r > 0)
		return r;
	r = SSL_get_error(e->ssl, r);
	ERR_clear_error();
	errno = EAGAIN;
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

void
lab_read(struct lab_end *e)
{
	static char piece[65536];
	ssize_t n;

	while ((n = read_some(e, piece, sizeof(piece))) > 0) {
		e->got = realloc(e->got, e->n + (size_t)n + 1);
		memcpy(e->got + e->n, piece, (size_t)n);
		e->n += (size_t)n;
		e->got[e->n] = '\0';
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		e->eof = true;
}

bool
lab_has(struct lab_end *e, const char *text)
{
	lab_read(e);
	return memmem(e->got, e->n, text, strlen(text)) != NULL;
}

bool
lab_got(struct lab_end *e, const char *text)
{
	lab_read(e);
	return e->n == strlen(text) && memcmp(e->got, text, e->n) == 0;
}

bool
lab_ended(struct lab_end *e)
{
	lab_read(e);
	return e->eof;
}

void
lab_forget(struct lab_end *e)
{
	e->n = 0;
	e->got[0] = '\0';
}

void
lab_close(struct lab_end *e)
{
	SSL_free(e->ssl);
	free(e->got);
	if (e->fd >= 0)
		close(e->fd);
	*e = (struct lab_end){ .fd = -1 };
}

SSL *
lab_client_tls(const char *name)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	cr_assert_not_null(ssl);
	if (name != NULL)
		SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)name);
	SSL_set_connect_state(ssl);
	return ssl;
}
