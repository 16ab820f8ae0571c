/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/signals.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
	int fd;
	struct event *event;
	void (*fn)(void *arg, int number);
	void *arg;
};

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct signals *s = arg;
	struct signalfd_siginfo info;

	(void)what;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->fn(s->arg, (int)info.ssi_signo);
}

static int
open_fd(bool usr2)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (usr2)
		sigaddset(&set, SIGUSR2);
	signal(SIGPIPE, SIG_IGN);
	return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0
		   ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)
		   : -1;
}

struct signals *
signals_new(struct loop *loop, bool usr2, void (*fn)(void *arg, int number), void *arg)
{
	struct signals *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fn = fn;
	s->arg = arg;
	s->fd = open_fd(usr2);
	if (s->fd >= 0)
		s->event = event_new(loop_base(loop), s->fd, EV_READ | EV_PERSIST, on_readable, s);
	if (s->event == NULL || event_add(s->event, NULL) != 0) {
		signals_free(s);
		return NULL;
	}
	return s;
}

void
signals_free(struct signals *s)
{
	if (s == NULL)
		return;
	if (s->event != NULL)
		event_free(s->event);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
