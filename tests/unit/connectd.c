/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/connectd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static bool
pump(int from, int to)
{
	char piece[16384];
	ssize_t n = read(from, piece, sizeof(piece));

	return n > 0 && write(to, piece, (size_t)n) == n;
}

static void
tunnel(struct connectd *d, int fd)
{
	struct sockaddr_in sa = loopback(d->leads_to);
	int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = far, .events = POLLIN } };
	bool on = connect(far, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
		  write(fd, "HTTP/1.1 200 OK\r\nETag: \"proxy\"\r\n\r\n", 34) == 34;

	while (on && poll(p, 2, -1) > 0) {
		if (p[0].revents != 0)
			on = pump(fd, far);
		if (on && p[1].revents != 0)
			on = pump(far, fd);
	}
	close(far);
}

static void
answer(struct connectd *d, int fd, char *asked, size_t size, const char *reply)
{
	size_t n = 0;
	ssize_t r;

	while (strstr(asked, "\r\n\r\n") == NULL && n < size - 1) {
		r = read(fd, asked + n, size - 1 - n);
		if (r <= 0)
			return;
		n += (size_t)r;
	}
	if (reply == NULL)
		tunnel(d, fd);
	else if (write(fd, reply, strlen(reply)) < 0)
		return;
}

static void *
serve(void *arg)
{
	struct connectd *d = arg;

	for (size_t i = 0; i < CONNECTD_ASKED; i++) {
		int fd = accept(d->fd, NULL, NULL);

		if (fd < 0)
			break;
		answer(d, fd, d->asked[i], sizeof(d->asked[i]), d->replies[i]);
		close(fd);
	}
	return NULL;
}

void
connectd_start(struct connectd *d)
{
	struct sockaddr_in sa = loopback(0);
	socklen_t len = sizeof(sa);

	signal(SIGPIPE, SIG_IGN);
	d->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(d->fd, (const struct sockaddr *)&sa, len), 0);
	cr_assert_eq(listen(d->fd, 16), 0);
	cr_assert_eq(getsockname(d->fd, (struct sockaddr *)&sa, &len), 0);
	d->port = ntohs(sa.sin_port);
	cr_assert_eq(pthread_create(&d->thread, NULL, serve, d), 0);
}

void
connectd_close(struct connectd *d)
{
	shutdown(d->fd, SHUT_RDWR); /* ends accept() */
	pthread_join(d->thread, NULL);
	close(d->fd);
}
