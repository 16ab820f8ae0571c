/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/preface.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

struct preface {
	struct prefaces *all;
	struct list node;
	struct event *ev;
	struct timer timer;
	struct grave grave;
	struct address peer;
	int fd;
	void *arg;
};

/* The only way out. */
static void
end(struct preface *p, enum preface_end end, const struct proxyproto *h)
{
	bool named = h != NULL && h->named;

	timer_clear(&p->timer);
	list_remove(&p->node);
	event_free(p->ev);
	loop_bury(p->all->loop, &p->grave, free, p);
	p->all->fn(p->arg, p->fd, end, named ? &h->client : &p->peer, named);
}

static bool
take(int fd, size_t n)
{
	char waste[PROXYPROTO_MAX];

	return recv(fd, waste, n, 0) == (ssize_t)n;
}

/* The event is edge-triggered: what is left in the socket does not wake us again, what comes next
 * does. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct preface *p = arg;
	char bytes[PROXYPROTO_MAX];
	struct proxyproto h;
	ssize_t n;

	do
		n = recv(fd, bytes, sizeof(bytes), MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		end(p, PREFACE_GONE, NULL);
		return;
	}
	switch (proxyproto_parse(str_of(bytes, (size_t)n), &h)) {
	case PROXYPROTO_GOOD:
		end(p, take(fd, h.length) ? PREFACE_DONE : PREFACE_GONE, &h);
		break;
	case PROXYPROTO_BAD:
		end(p, PREFACE_BAD, NULL);
		break;
	case PROXYPROTO_MORE:
		if (what & EV_CLOSED)
			end(p, PREFACE_GONE, NULL);
		break;
	}
}

static void
on_timer(void *arg)
{
	end(arg, PREFACE_SLOW, NULL);
}

void
prefaces_init(struct prefaces *all, struct loop *loop, preface_fn *fn)
{
	*all = (struct prefaces){ .loop = loop, .fn = fn };
	list_init(&all->waiting);
}

void
prefaces_close(struct prefaces *all)
{
	struct list *node;

	while ((node = list_first(&all->waiting)) != NULL)
		end(LIST_ENTRY(node, struct preface, node), PREFACE_CUT, NULL);
}

bool
preface_await(struct prefaces *all, int fd, const struct address *peer, clock_ms timeout, void *arg)
{
	struct preface *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return false;
	*p = (struct preface){ .all = all, .peer = *peer, .fd = fd, .arg = arg };
	p->ev = event_new(
	    loop_base(all->loop), fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_event, p);
	if (p->ev == NULL || event_add(p->ev, NULL) != 0) {
		if (p->ev != NULL)
			event_free(p->ev);
		free(p);
		return false;
	}
	timer_init(&p->timer, on_timer, p);
	timer_set(all->loop, &p->timer, timeout);
	list_append(&all->waiting, &p->node);
	return true;
}
