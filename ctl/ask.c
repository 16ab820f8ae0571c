/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ask.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/http/h1.h"

#define ANSWER_MAX (80 << 20)
#define TIMEOUT_S 30

static int
dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	int fd;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
send_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s = str_from(s, (size_t)n);
	}
	return true;
}

static bool
read_all(int fd, struct buf *in)
{
	for (;;) {
		char *room = buf_reserve(in, 4096);
		ssize_t n = room != NULL ? recv(fd, room, 4096, 0) : -1;

		if (n <= 0)
			return n == 0;
		buf_commit(in, (size_t)n);
	}
}

/* The service always says how long its answer is and closes behind it. */
static bool
parse(struct answer *a)
{
	struct h1_limits limits = { .head_max = 8192, .target_max = 1024, .fields_max = 64 };
	struct str all = buf_str(&a->raw);
	size_t scanned = 0, n = h1_head_end(all, &scanned);
	struct arena arena;
	struct h1_head head;
	bool good;

	arena_init(&arena, 65536);
	good = n > 0 && h1_parse_response(&arena, str_of(all.p, n), &limits, H1_GET, &head) == OK &&
	       head.framing == H1_LENGTH && head.length == all.n - n;
	if (good) {
		a->status = head.status;
		a->body = str_from(all, n);
	}
	arena_fini(&arena);
	return good;
}

static bool
exchange(int fd, const char *method, const char *path, struct str body, struct answer *out)
{
	struct buf request;
	bool good;

	buf_init(&request, 1 << 20);
	good = buf_printf(&request,
		   "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		   "Content-Length: %zu\r\n\r\n" STR_FMT,
		   method, path, body.n, STR_ARG(body)) &&
	       send_all(fd, buf_str(&request)) && read_all(fd, &out->raw) && parse(out);
	buf_fini(&request);
	return good;
}

bool
ask(const char *socket_path, const char *method, const char *path, struct str body,
    struct answer *out)
{
	int fd = dial(socket_path);
	bool good;

	*out = (struct answer){ 0 };
	buf_init(&out->raw, ANSWER_MAX);
	if (fd < 0) {
		fprintf(stderr, "schleusectl: cannot reach schleuse-regsvc at %s: %s\n%s",
		    socket_path, strerror(errno),
		    errno == EACCES ? "It answers to root and to its own user only.\n"
				    : "Does it run?  Name its socket with --socket.\n");
		return false;
	}
	good = exchange(fd, method, path, body, out);
	close(fd);
	if (!good)
		fprintf(stderr,
		    "schleusectl: %s gave no answer; it answers to root and to its own user only, "
		    "see its log\n",
		    socket_path);
	return good;
}

void
answer_fini(struct answer *a)
{
	if (a->raw.mem != NULL)
		sodium_memzero(a->raw.mem, a->raw.cap);
	buf_fini(&a->raw);
}
