/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover - the old side.  All messages are sent before the successor is started and wait for it
 * in the socket; it answers with one byte when it is ready, and the end of the socket says that it
 * failed.
 */
#include "proxy/handover.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/handover_int.h"

struct handover {
	struct handover_config cfg;
	int fd;
	pid_t pid;
	struct event *ev;
	struct timer timer;
	bool ready;
};

/* --- the gift --- */

static bool
send_message(int fd, const struct gift *g, const int *fds, size_t n)
{
	struct iovec io = { (void *)(uintptr_t)g, sizeof(*g) };
	union {
		char bytes[CMSG_SPACE(GIFT_SOCKETS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	if (n > 0) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*g);
}

static bool
send_endpoint(int fd, enum gift_type type, const struct endpoint *e, enum listener_kind kind)
{
	struct gift g = { .version = GIFT_VERSION,
		.type = type,
		.n = e->n,
		.kind = kind,
		.activated = e->activated };
	bool ok = true;

	memcpy(g.key, e->key, sizeof(g.key));
	for (size_t at = 0; ok && at < e->n; at += GIFT_SOCKETS) {
		size_t n = e->n - at < GIFT_SOCKETS ? e->n - at : GIFT_SOCKETS;

		ok = send_message(fd, &g, e->sockets + at, n);
	}
	return ok;
}

static bool
send_all(int fd, const struct handover_config *cfg)
{
	struct gift g = { .version = GIFT_VERSION, .type = GIFT_TICKETS, .n = cfg->tickets->n };
	const struct listeners *l = cfg->listeners;
	bool ok = send_endpoint(fd, GIFT_ADMIN, l->admin, 0);

	for (size_t i = 0; ok && i < l->n; i++)
		if (l->of[i].until == 0 || !endpoint_is_unix(l->of[i].endpoint)) /* no file */
			ok = send_endpoint(fd, GIFT_LISTENER, l->of[i].endpoint, l->of[i].kind);
	memcpy(g.tickets, cfg->tickets->keys, sizeof(g.tickets));
	ok = ok && send_message(fd, &g, NULL, 0);
	sodium_memzero(&g, sizeof(g));
	g = (struct gift){ .version = GIFT_VERSION, .type = GIFT_END };
	return ok && send_message(fd, &g, NULL, 0);
}

/* --- the successor --- */

extern char **environ;

static bool
is_ours(const char *setting) /* meant for this process, not for the next */
{
	static const char *const names[] = { GIFT_VARIABLE "=",
		"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(setting, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char **
make_environment(char *variable)
{
	size_t n = 0, k = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = calloc(n + 2, sizeof(char *));
	for (size_t i = 0; env != NULL && i < n; i++)
		if (!is_ours(environ[i]))
			env[k++] = environ[i];
	if (env != NULL)
		env[k] = variable;
	return env;
}

/* The program on disk, which may be a newer one; with no signal blocked or ignored. */
static int
spawn(char *const *argv, int fd, pid_t *pid)
{
	char variable[64];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, pipe;
	char **env;
	int err;

	snprintf(variable, sizeof(variable), "%s=%d", GIFT_VARIABLE, GIFT_FD);
	env = make_environment(variable);
	if (env == NULL)
		return ENOMEM;
	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe);
	/* Nothing else is inherited: libraries do not mark all of their descriptors. */
	err = posix_spawn_file_actions_adddup2(&files, fd, GIFT_FD);
	if (err == 0)
		err = posix_spawn_file_actions_addclosefrom_np(&files, GIFT_FD + 1);
	if (err == 0)
		err = posix_spawnp(pid, argv[0], &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	free(env);
	return err;
}

/* --- waiting for it --- */

static void
end_successor(struct handover *h, const char *why)
{
	int status = 0;

	kill(h->pid, SIGKILL); /* nothing happens to one that has ended by itself */
	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
	if (WIFEXITED(status))
		log_error("hand-over: %s: the successor ended with status %d; see its lines above",
		    why, WEXITSTATUS(status));
	else
		log_error(
		    "hand-over: %s: the successor was ended by signal %d", why, WTERMSIG(status));
}

static void
fail(struct handover *h, const char *why)
{
	timer_clear(&h->timer);
	event_del(h->ev);
	end_successor(h, why);
	h->cfg.done(h->cfg.arg, false);
}

static void
on_timeout(void *arg)
{
	fail(arg, "not ready within timeouts.handover");
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct handover *h = arg;
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != 1 || byte != GIFT_READY) {
		fail(h, "it did not start");
		return;
	}
	h->ready = true;
	timer_clear(&h->timer);
	event_del(h->ev);
	h->cfg.done(h->cfg.arg, true);
}

static bool
watch(struct handover *h)
{
	h->ev = event_new(loop_base(h->cfg.loop), h->fd, EV_READ | EV_PERSIST, on_readable, h);
	return h->ev != NULL && event_add(h->ev, NULL) == 0;
}

struct handover *
handover_start(const struct handover_config *cfg)
{
	struct handover *h = calloc(1, sizeof(*h));
	int pair[2], err = ENOMEM;

	if (h == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		log_error("hand-over: out of memory or descriptors");
		free(h);
		return NULL;
	}
	*h = (struct handover){ .cfg = *cfg, .fd = pair[0] };
	timer_init(&h->timer, on_timeout, h);
	if (!watch(h) || !send_all(h->fd, cfg))
		err = errno;
	else
		err = spawn(cfg->argv, pair[1], &h->pid);
	close(pair[1]);
	if (err != 0) {
		log_error("hand-over: cannot start %s: %s", cfg->argv[0], strerror(err));
		handover_free(h);
		return NULL;
	}
	timer_set(cfg->loop, &h->timer, cfg->timeout);
	log_info("hand-over: process %d started", (int)h->pid);
	return h;
}

pid_t
handover_pid(const struct handover *h)
{
	return h->pid;
}

void
handover_free(struct handover *h)
{
	if (h == NULL)
		return;
	timer_clear(&h->timer);
	if (h->ev != NULL)
		event_free(h->ev);
	if (h->pid > 0 && !h->ready)
		end_successor(h, "called off");
	close(h->fd);
	free(h);
}
