/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend - the homeserver of the benchmarks: answers every request at once, from memory.
 *
 * One thread, epoll, keep-alive.  A download (a path with the prefix of DOWNLOAD) answers with as
 * many bytes as its last segment says, everything else with a small JSON text by path.  It reads a
 * request's head and, by Content-Length or chunked coding, its body, so that proxies may frame as
 * they like; bodies of known length are swallowed as they come, chunked ones must fit the buffer.
 * It judges nothing.  Only for measurements: it trusts its peers, the proxies on loopback.
 *
 * usage: backend PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define IN_MAX (64 << 10)
#define HEAD_MAX 1024
#define CHUNK (1 << 20) /* of a download, written at once */
#define EVENTS_MAX 256
#define DOWNLOAD "/_matrix/media/v3/download/"

/* The first part of a path that is found decides. */
static const struct {
	const char *part, *json;
} answers[] = {
	{ "/account/whoami", "{\"user_id\":\"@bench:localhost\",\"device_id\":\"BENCH\"}" },
	{ "/_synapse/admin/", "{\"admin\":false}" },
	{ "/profile/", "{\"displayname\":\"Bench\"}" },
	{ "/",
	    "{\"versions\":[\"r0.6.1\",\"v1.1\",\"v1.2\",\"v1.3\",\"v1.4\",\"v1.5\",\"v1.6\","
	    "\"v1.7\",\"v1.8\",\"v1.9\",\"v1.10\",\"v1.11\",\"v1.12\"],\"unstable_features\":{"
	    "\"org.matrix.label_based_filtering\":true,\"org.matrix.e2e_cross_signing\":true}}" },
};

struct conn {
	int fd;
	size_t n;               /* in `in` */
	size_t swallow;         /* of the request's body, still to come */
	bool owes;              /* an answer, as soon as the body is there */
	bool waits;             /* for room to write */
	size_t head_n, head_at; /* of the answer in `head`, and what of it is written */
	size_t body;            /* of a download, still to be written */
	char head[HEAD_MAX];
	char in[IN_MAX + 1];
};

static char filler[CHUNK];

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

/* Puts the answer to the request whose head this is into c->head. */
static void
prepare_answer(struct conn *c, const char *head_end)
{
	const char *path = memchr(c->in, ' ', (size_t)(head_end - c->in));
	const char *json = answers[sizeof(answers) / sizeof(answers[0]) - 1].json;
	size_t line, length;

	path = path != NULL ? path + 1 : head_end;
	line = strcspn(path, " \r");
	c->body = 0;
	if (strncmp(path, DOWNLOAD, sizeof(DOWNLOAD) - 1) == 0) {
		const char *last = memrchr(path, '/', line);

		c->body = strtoul(last + 1, NULL, 10);
		json = "";
	}
	for (size_t i = sizeof(answers) / sizeof(answers[0]); c->body == 0 && i-- > 0;)
		if (memmem(path, line, answers[i].part, strlen(answers[i].part)) != NULL)
			json = answers[i].json;
	length = c->body > 0 ? c->body : strlen(json);
	c->head_at = 0;
	c->head_n = (size_t)snprintf(c->head, sizeof(c->head),
	    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
	    c->body > 0 ? "application/octet-stream" : "application/json", length, json);
	c->owes = true;
}

static void
consume(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->n - n);
	c->n -= n;
	c->in[c->n] = '\0';
}

/* Takes the next request's head, and its body as far as it is there; false: more must come first.
 */
static bool
take_request(struct conn *c)
{
	const char *head_end = memmem(c->in, c->n, "\r\n\r\n", 4), *value;
	size_t head, body = 0;

	if (head_end == NULL)
		return false;
	head_end += 2;
	head = (size_t)(head_end - c->in) + 2;
	value = field(c->in, head_end, "content-length:");
	if (value != NULL) {
		c->swallow = strtoul(value, NULL, 10);
	} else if (field(c->in, head_end, "transfer-encoding:") != NULL) {
		body = chunked_length(c->in + head, c->in + c->n);
		if (body == 0)
			return false;
	}
	prepare_answer(c, head_end);
	consume(c, head + body);
	return true;
}

static void
conn_close(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Writes what is owed, as far as it goes; false: the connection is of no more use. */
static bool
conn_write(struct conn *c)
{
	while (c->head_at < c->head_n || c->body > 0) {
		struct iovec v[2] = {
			{ c->head + c->head_at, c->head_n - c->head_at },
			{ filler, c->body < CHUNK ? c->body : CHUNK },
		};
		ssize_t n = writev(c->fd, v, 2);
		size_t of_head;

		if (n < 0)
			return errno == EAGAIN;
		of_head = (size_t)n < v[0].iov_len ? (size_t)n : v[0].iov_len;
		c->head_at += of_head;
		c->body -= (size_t)n - of_head;
	}
	c->owes = false;
	return true;
}

/* Answers what is complete; false: the connection is of no more use. */
static bool
conn_serve(struct conn *c)
{
	for (;;) {
		size_t n = c->swallow < c->n ? c->swallow : c->n;

		if (n > 0) {
			consume(c, n);
			c->swallow -= n;
		}
		if (c->swallow > 0)
			return true;
		if (c->owes && !conn_write(c))
			return false;
		if (c->owes)
			return true;
		if (!take_request(c))
			return c->n < IN_MAX;
	}
}

/* Reads once and serves; false: the connection is of no more use. */
static bool
conn_read(struct conn *c)
{
	ssize_t got = read(c->fd, c->in + c->n, IN_MAX - c->n);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	c->n += (size_t)got;
	c->in[c->n] = '\0';
	return got > 0 && conn_serve(c);
}

/* An answer that did not fit goes on first; nothing is read before it is out. */
static void
conn_turn(int ep, struct conn *c)
{
	bool waits = c->waits;
	struct epoll_event ev = { .data.ptr = c };

	if (!(waits ? conn_serve(c) : conn_read(c))) {
		conn_close(c);
		return;
	}
	c->waits = c->owes && c->swallow == 0;
	ev.events = c->waits ? EPOLLOUT : EPOLLIN;
	if (c->waits != waits && epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) != 0)
		conn_close(c);
}

static void
accept_all(int ep, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

		if (c == NULL) {
			close(fd);
			return;
		}
		c->fd = fd;
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
	signal(SIGPIPE, SIG_IGN); /* a proxy may go in the middle of a download */
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
		return 1;
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(ep, listener);
			else
				conn_turn(ep, events[i].data.ptr);
		}
	}
}
