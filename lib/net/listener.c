/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/log.h"

#define BACKLOG 1024
#define SWEEP_MAX (16 * BACKLOG)
#define ACCEPT_BATCH 64 /* connections taken in one turn, so that accepting starves nobody */

struct listener {
	struct loop *loop;
	struct event *ev;
	int fd;
	bool paused; /* by the owner */
	bool told;   /* that accepting fails; until it succeeds again */
	listener_fn *fn;
	void (*failed)(void *arg); /* may be NULL */
	void *arg;
	struct timer wake;
};

static bool
unix_address(const char *path, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(out->sun_path, path, strlen(path) + 1);
	return true;
}

/* mode < 0: as the umask has it.  Linux takes that of the file from the socket, so it is at no time
 * open to more than it should be. */
static int
bind_unix(const char *path, int mode)
{
	struct sockaddr_un a;
	int fd, err;

	if (!unix_address(path, &a))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	if ((mode < 0 || fchmod(fd, (mode_t)mode) == 0) &&
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    (mode < 0 || chmod(path, (mode_t)mode) == 0) && listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static bool
is_socket(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0 && S_ISSOCK(s.st_mode);
}

int
listener_bind_unix(const char *path, unsigned mode)
{
	struct stat s;

	if (lstat(path, &s) == 0 && !S_ISSOCK(s.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	return bind_unix(path, (int)mode);
}

bool
listener_taken_unix(const char *path)
{
	struct sockaddr_un a;
	int fd;
	bool taken;

	if (!is_socket(path) || !unix_address(path, &a))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* EAGAIN: somebody listens who has much to do; EACCES: it is not ours to look */
	taken = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN ||
		errno == EACCES;
	close(fd);
	return taken;
}

static socklen_t
parse_ip(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	errno = EINVAL;
	return 0;
}

int
listener_bind(const char *unix_path, const char *host, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len;
	int fd, one = 1, err;

	if (unix_path != NULL)
		return bind_unix(unix_path, -1);
	len = parse_ip(host, port, &a);
	if (len == 0)
		return -1;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 &&
	    (a.ss_family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

bool
listener_taken(const char *host, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = parse_ip(host, port, &a);
	int fd, one = 1;
	bool taken;

	if (len == 0 || port == 0)
		return false;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (a.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	taken = bind(fd, (struct sockaddr *)&a, len) != 0 && errno == EADDRINUSE;
	close(fd);
	return taken;
}

/* Works on the TCP header, whose 14th byte has the flags. */
bool
listener_refuse(int fd, bool on)
{
	struct sock_filter drop_first[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12), /* SYN, ACK */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { sizeof(drop_first) / sizeof(*drop_first), drop_first };
	int unused = 0;

	return on ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0
		  : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) == 0 ||
			errno == ENOENT;
}

char *
listener_address(int fd, char *out, size_t size)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char ip[INET6_ADDRSTRLEN] = "?";

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
		snprintf(out, size, "?");
		return out;
	}
	if (a.ss_family == AF_UNIX) {
		snprintf(out, size, "unix:%s", ((struct sockaddr_un *)&a)->sun_path);
	} else if (a.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, ip, sizeof(ip));
		snprintf(out, size, "[%s]:%u", ip, ntohs(((struct sockaddr_in6 *)&a)->sin6_port));
	} else {
		inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, ip, sizeof(ip));
		snprintf(out, size, "%s:%u", ip, ntohs(((struct sockaddr_in *)&a)->sin_port));
	}
	return out;
}

static void
on_wake(void *arg)
{
	struct listener *l = arg;

	if (!l->paused)
		event_add(l->ev, NULL);
}

static void
rest(struct listener *l)
{
	if (!l->told)
		log_warn("listener: cannot accept: %s; pausing %d ms (raise LimitNOFILE or lower "
			 "limits.connections_max)",
		    strerror(errno), LISTENER_PAUSE_MS);
	l->told = true;
	event_del(l->ev);
	timer_set(l->loop, &l->wake, LISTENER_PAUSE_MS);
	if (l->failed != NULL)
		l->failed(l->arg);
}

/* Whether there may be another one. */
static bool
take_one(struct listener *l)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int one = 1;

	if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
		return true;
	if (fd < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			rest(l);
		return false;
	}
	l->told = false;
	if (peer.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->fn(l->arg, fd, (struct sockaddr *)&peer, len);
	return true;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPT_BATCH && !l->paused && take_one(l); i++)
		;
}

void
listener_sweep(struct listener *l)
{
	/* Bounded: connections may come as fast as they are taken. */
	for (int i = 0; i < SWEEP_MAX && take_one(l); i++)
		;
}

struct listener *
listener_new(struct loop *loop, int fd, listener_fn *fn, void *arg)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	*l = (struct listener){ .loop = loop, .fd = fd, .fn = fn, .arg = arg };
	timer_init(&l->wake, on_wake, l);
	l->ev = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_accept, l);
	if (l->ev == NULL || event_add(l->ev, NULL) != 0) {
		if (l->ev != NULL)
			event_free(l->ev);
		free(l);
		return NULL;
	}
	return l;
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	timer_clear(&l->wake);
	event_free(l->ev);
	free(l);
}

void
listener_on_failure(struct listener *l, void (*fn)(void *arg))
{
	l->failed = fn;
}

void
listener_pause(struct listener *l)
{
	l->paused = true;
	timer_clear(&l->wake);
	event_del(l->ev);
}

void
listener_resume(struct listener *l)
{
	if (!l->paused)
		return;
	l->paused = false;
	event_add(l->ev, NULL);
}
