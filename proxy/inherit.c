/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inherit - the new side of a hand-over, and socket activation.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/listener.h"
#include "proxy/handover_int.h"

#define ENDPOINTS_MAX 192 /* more than can be configured, and those being given up */
#define LISTEN_FIRST 3    /* of sd_listen_fds(3) */
#define LISTEN_MAX 4096

struct estate { /* what has been taken so far */
	struct listening of[ENDPOINTS_MAX];
	size_t n;
	struct endpoint *admin;
};

static void
estate_drop(struct estate *e)
{
	for (size_t i = 0; i < e->n; i++)
		snapshot_drop(&e->of[i].endpoint->snap);
	if (e->admin != NULL)
		snapshot_drop(&e->admin->snap);
	*e = (struct estate){ 0 };
}

/* --- from a predecessor --- */

/* One message; its descriptors are ours.  Returns how many, or -1. */
static int
receive(int fd, struct gift *g, int fds[GIFT_SOCKETS])
{
	struct iovec io = { g, sizeof(*g) };
	union {
		char bytes[CMSG_SPACE(GIFT_SOCKETS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = got >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	size_t n = 0;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	if (got == (ssize_t)sizeof(*g) && g->version == GIFT_VERSION && !(m.msg_flags & MSG_CTRUNC))
		return (int)n;
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return -1;
}

/* The endpoint a message belongs to: the last one while it is not complete, or a new one. */
static struct endpoint *
endpoint_for(struct estate *e, const struct gift *g)
{
	struct endpoint *last = e->n > 0 ? e->of[e->n - 1].endpoint : NULL;
	struct endpoint *made;

	if (g->type == GIFT_LISTENER && last != NULL && last->n < g->n &&
	    strcmp(last->key, g->key) == 0)
		return last;
	if (g->n == 0 || g->n > LISTEN_MAX || e->n == ENDPOINTS_MAX)
		return NULL;
	made = endpoint_new(g->key, g->activated, g->n);
	if (made == NULL)
		return NULL;
	if (g->type == GIFT_ADMIN)
		e->admin = made;
	else
		e->of[e->n++] = (struct listening){ .endpoint = made, .kind = g->kind };
	return made;
}

static bool
take_endpoint(struct estate *e, const struct gift *g, const int *fds, size_t n)
{
	struct endpoint *to = endpoint_for(e, g);
	bool ok = to != NULL && n > 0 && to->n + n <= g->n;

	for (size_t i = 0; i < n; i++) {
		if (ok)
			endpoint_add(to, fds[i]);
		else
			close(fds[i]);
	}
	return ok;
}

static bool
take_gift(struct estate *e, struct tls_tickets **tickets, int fd)
{
	struct gift g;
	bool ok;

	do {
		int fds[GIFT_SOCKETS], n = receive(fd, &g, fds);

		ok = n >= 0;
		if (ok && (g.type == GIFT_LISTENER || g.type == GIFT_ADMIN))
			ok = take_endpoint(e, &g, fds, (size_t)n);
		else if (ok && g.type == GIFT_TICKETS)
			ok = g.n > 0 && g.n <= TLS_TICKET_KEYS &&
			     (*tickets = tls_tickets_of(g.tickets, g.n)) != NULL;
	} while (ok && g.type != GIFT_END);
	sodium_memzero(&g, sizeof(g));
	return ok && e->admin != NULL;
}

static bool
from_predecessor(struct inheritance *in, struct estate *e, const char *variable)
{
	char *end;
	long fd = strtol(variable, &end, 10);

	if (*end != '\0' || fd != GIFT_FD || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
		log_error(GIFT_VARIABLE " is set, but not by a predecessor; unset it");
		return false;
	}
	in->predecessor = (int)fd;
	if (take_gift(e, &in->tickets, in->predecessor))
		return true;
	log_error("hand-over: cannot take over what the predecessor gives, perhaps because it is "
		  "another version; restart instead");
	return false;
}

/* --- from the service manager --- */

static unsigned long
number(const char *name)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : 0;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

/* Several sockets of one address (ReusePort=) make one endpoint. */
static bool
add_activated(struct estate *e, int fd, unsigned long n, const struct proxy_conf *conf)
{
	char key[LISTENERS_KEY_MAX], admin[LISTENERS_KEY_MAX];
	struct endpoint *to = NULL;

	listener_address(fd, key, sizeof(key));
	if (strcmp(key, listeners_key(&conf->admin, admin)) == 0 && e->admin == NULL) {
		to = e->admin = endpoint_new(key, true, n);
	} else {
		for (size_t i = 0; i < e->n; i++)
			if (strcmp(e->of[i].endpoint->key, key) == 0)
				to = e->of[i].endpoint;
		if (to == NULL && e->n < ENDPOINTS_MAX)
			to = endpoint_new(key, true, n);
		if (to != NULL && to->n == 0)
			e->of[e->n++] = (struct listening){ .endpoint = to, .kind = LISTEN_BOTH };
	}
	if (to != NULL)
		endpoint_add(to, fd);
	return to != NULL;
}

static bool
is_configured(const struct endpoint *e, const struct proxy_conf *conf)
{
	char key[LISTENERS_KEY_MAX];

	for (size_t i = 0; i < conf->n_listeners; i++)
		if (strcmp(listeners_key(&conf->listeners[i].address, key), e->key) == 0)
			return true;
	return false;
}

static bool
from_manager(struct estate *e, const struct proxy_conf *conf)
{
	unsigned long n = number("LISTEN_FDS");
	bool ok = n <= LISTEN_MAX;

	for (unsigned long i = 0; ok && i < n; i++) {
		int fd = LISTEN_FIRST + (int)i, flags = fcntl(fd, F_GETFL);

		if (!is_listening(fd) || flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		    fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
			log_error("socket activation: descriptor %d is no listening socket", fd);
			return false;
		}
		ok = add_activated(e, fd, n, conf);
	}
	for (size_t i = 0; ok && i < e->n; i++)
		if (!is_configured(e->of[i].endpoint, conf)) {
			log_error("socket activation: %s was passed, but no listener has this "
				  "address; connections would wait there for ever",
			    e->of[i].endpoint->key);
			ok = false;
		}
	if (!ok)
		log_error("socket activation: cannot use the sockets that were passed");
	return ok;
}

/* --- both --- */

bool
inheritance_take(struct inheritance *in, const struct proxy_conf *conf)
{
	const char *variable = getenv(GIFT_VARIABLE);
	struct estate e = { 0 };
	bool ok = true;

	*in = (struct inheritance){ .predecessor = -1 };
	if (variable != NULL)
		ok = from_predecessor(in, &e, variable);
	else if (number("LISTEN_PID") == (unsigned long)getpid())
		ok = from_manager(&e, conf);
	unsetenv(GIFT_VARIABLE);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (ok && (e.n > 0 || e.admin != NULL)) {
		in->listeners = listeners_inherit(e.of, e.n, e.admin);
		ok = in->listeners != NULL;
	} else {
		estate_drop(&e);
	}
	return ok;
}

void
inheritance_ready(const struct inheritance *in)
{
	const char byte = GIFT_READY;

	if (in->predecessor >= 0 && send(in->predecessor, &byte, 1, MSG_NOSIGNAL) != 1)
		log_error("hand-over: the predecessor cannot be told: %s", strerror(errno));
}

bool
inheritance_shared(const struct inheritance *in)
{
	char byte;

	return in->predecessor >= 0 &&
	       recv(in->predecessor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void
inheritance_fini(struct inheritance *in)
{
	if (in->listeners != NULL)
		snapshot_drop(&in->listeners->snap);
	snapshot_drop((struct snapshot *)in->tickets);
	if (in->predecessor >= 0)
		close(in->predecessor);
	*in = (struct inheritance){ .predecessor = -1 };
}
