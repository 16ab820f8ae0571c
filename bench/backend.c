/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend - the homeserver of the benchmarks: answers every request at once with one small JSON text.
 *
 * One thread, epoll, keep-alive.  It reads a request's head and, by Content-Length or chunked coding,
 * its body, so that proxies may frame as they like; it judges nothing.  Only for measurements: it trusts
 * its peers, the proxies on loopback.
 *
 * usage: backend PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define IN_MAX (64 << 10)
#define EVENTS_MAX 256

static const char json[] =
    "{\"versions\":[\"r0.6.1\",\"v1.1\",\"v1.2\",\"v1.3\",\"v1.4\",\"v1.5\",\"v1.6\",\"v1.7\","
    "\"v1.8\",\"v1.9\",\"v1.10\",\"v1.11\",\"v1.12\"],\"unstable_features\":{"
    "\"org.matrix.label_based_filtering\":true,\"org.matrix.e2e_cross_signing\":true}}";

struct conn {
	int fd;
	size_t n;
	char in[IN_MAX + 1];
};

static char answer[1024];
static size_t answer_n;

/* The length of a chunked body at p, or 0 while it is incomplete. */
static size_t
chunked_length(const char *p, const char *end)
{
	const char *at = p;

	for (;;) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		size_t n;

		if (eol == NULL)
			return 0;
		n = strtoul(at, NULL, 16);
		at = eol + 2 + n + 2;
		if (at > end)
			return 0;
		if (n == 0)
			return (size_t)(at - p);
	}
}

/* Looks for a field at the start of a line of the head; NULL if it is not there. */
static const char *
field(const char *head, const char *head_end, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = head; p < head_end; p++) {
		p = memchr(p, '\n', (size_t)(head_end - p));
		if (p == NULL)
			return NULL;
		if ((size_t)(head_end - p) > n && strncasecmp(p + 1, name, n) == 0)
			return p + 1 + n;
	}
	return NULL;
}

/* The length of the first request in c->in, or 0 while it is incomplete. */
static size_t
request_length(const struct conn *c)
{
	const char *head_end = memmem(c->in, c->n, "\r\n\r\n", 4), *value;
	size_t head, body = 0;

	if (head_end == NULL)
		return 0;
	head_end += 2;
	head = (size_t)(head_end - c->in) + 2;
	value = field(c->in, head_end, "content-length:");
	if (value != NULL) {
		body = strtoul(value, NULL, 10);
	} else if (field(c->in, head_end, "transfer-encoding:") != NULL) {
		body = chunked_length(c->in + head, c->in + c->n);
		if (body == 0)
			return 0;
	}
	return head + body <= c->n ? head + body : 0;
}

static void
conn_close(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Answers what is complete; false: the connection is of no more use. */
static bool
conn_serve(struct conn *c)
{
	size_t n;

	while ((n = request_length(c)) > 0) {
		if (write(c->fd, answer, answer_n) != (ssize_t)answer_n)
			return false;
		memmove(c->in, c->in + n, c->n - n);
		c->n -= n;
		c->in[c->n] = '\0';
	}
	return c->n < IN_MAX;
}

static void
conn_readable(struct conn *c)
{
	ssize_t got = read(c->fd, c->in + c->n, IN_MAX - c->n);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		conn_close(c);
		return;
	}
	c->n += (size_t)got;
	c->in[c->n] = '\0';
	if (!conn_serve(c))
		conn_close(c);
}

static void
accept_all(int ep, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = malloc(sizeof(*c));
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

		if (c == NULL) {
			close(fd);
			return;
		}
		c->fd = fd;
		c->n = 0;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
			conn_close(c);
	}
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(fd, 1024) != 0) {
		perror("backend: listen");
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX], ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), listener;

	if (argc != 2 || ep < 0) {
		fprintf(stderr, "usage: backend PORT\n");
		return 2;
	}
	answer_n = (size_t)snprintf(answer, sizeof(answer),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof(json) - 1, json);
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
		return 1;
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(ep, listener);
			else
				conn_readable(events[i].data.ptr);
		}
	}
}
