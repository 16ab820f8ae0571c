/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/race.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/net/dial.h"

struct runner { /* an address being tried */
	struct race *race;
	struct address at;
	struct event *ev;
	int fd; /* -1: not begun, or over */
};

struct race {
	struct loop *loop;
	void (*fn)(void *arg, int fd, int err);
	void *arg;
	struct task task; /* the first start: never from inside race_start() */
	struct timer next;
	clock_ms delay;
	size_t running, begun;
	int err; /* of the first that failed */
	size_t n;
	struct runner of[];
};

static void
stop(struct runner *u)
{
	if (u->ev != NULL)
		event_free(u->ev);
	if (u->fd >= 0)
		close(u->fd);
	u->ev = NULL;
	u->fd = -1;
}

void
race_cancel(struct race *r)
{
	if (r == NULL)
		return;
	task_cancel(&r->task);
	timer_clear(&r->next);
	for (size_t i = 0; i < r->begun; i++)
		stop(&r->of[i]);
	free(r);
}

static void
end(struct race *r, int fd)
{
	void (*fn)(void *arg, int fd, int err) = r->fn;
	void *arg = r->arg;
	int err = fd >= 0 ? 0 : r->err != 0 ? r->err : EHOSTUNREACH;

	race_cancel(r);
	fn(arg, fd, err);
}

static void
won(struct runner *u)
{
	int fd = u->fd;

	u->fd = -1;
	end(u->race, fd);
}

static void
lost(struct runner *u, int err)
{
	struct race *r = u->race;

	stop(u);
	if (r->err == 0)
		r->err = err;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct runner *u = arg;
	struct race *r = u->race;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err == 0) {
		won(u);
		return;
	}
	lost(u, err);
	r->running--;
	task_defer(r->loop, &r->task); /* the next one need not wait any longer */
}

/* What connect() comes to at once, or 0: under way. */
static int
run(struct runner *u)
{
	struct race *r = u->race;
	struct sockaddr_storage to = { 0 };
	bool connecting;

	memcpy(&to, &u->at.sa, u->at.len);
	u->fd = dial(&to, u->at.len, &connecting);
	if (u->fd < 0)
		return errno;
	/* One that stands already is writable at once. */
	u->ev = event_new(loop_base(r->loop), u->fd, EV_WRITE, on_writable, u);
	if (u->ev == NULL || event_add(u->ev, NULL) != 0)
		return ENOMEM;
	r->running++;
	return 0;
}

/* Begins with the next address that does not fail on the spot. */
static void
on_next(void *arg)
{
	struct race *r = arg;

	task_cancel(&r->task);
	while (r->begun < r->n) {
		struct runner *u = &r->of[r->begun++];
		int err = run(u);

		if (err == 0) {
			timer_set(r->loop, &r->next, r->delay);
			return;
		}
		lost(u, err);
	}
	if (r->running == 0)
		end(r, -1);
}

struct race *
race_start(struct loop *loop, const struct address *at, size_t n, clock_ms delay,
    void (*fn)(void *arg, int fd, int err), void *arg)
{
	struct race *r;

	if (n > RACE_MAX)
		n = RACE_MAX;
	r = calloc(1, sizeof(*r) + n * sizeof(r->of[0]));
	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->fn = fn;
	r->arg = arg;
	r->delay = delay;
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->of[i] = (struct runner){ .race = r, .at = at[i], .fd = -1 };
	task_init(&r->task, on_next, r);
	timer_init(&r->next, on_next, r);
	task_defer(loop, &r->task);
	return r;
}
