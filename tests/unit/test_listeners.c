/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of listening sockets: what is bound, kept and given up. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/listener.h"
#include "proxy/listeners.h"

struct made { /* a configuration of nothing but addresses */
	struct proxy_conf conf;
	struct listener_conf rows[4];
	char text[5][64];
};

static void
made_free(struct snapshot *s)
{
	free(s);
}

static struct conf_address
address(struct made *m, size_t i, const char *host, uint16_t port)
{
	snprintf(m->text[i], sizeof(m->text[i]), "%s", host);
	return (struct conf_address){ .text = m->text[i], .host = m->text[i], .port = port };
}

static struct proxy_conf *
conf_of(size_t n, const uint16_t *ports)
{
	struct made *m = calloc(1, sizeof(*m));

	snapshot_init(&m->conf.snap, made_free);
	m->conf.listeners = m->rows;
	m->conf.n_listeners = n;
	for (size_t i = 0; i < n; i++)
		m->rows[i] = (struct listener_conf){ address(m, i, "127.0.0.1", ports[i]),
			LISTEN_BOTH };
	m->conf.admin = address(m, 4, "127.0.0.1", 0);
	return &m->conf;
}

static struct listeners *
open_ports(struct listeners *had, unsigned workers, size_t n, const uint16_t *ports)
{
	struct proxy_conf *conf = conf_of(n, ports);
	struct listeners *l = listeners_open(conf, had, workers);

	snapshot_drop(&conf->snap);
	return l;
}

static uint16_t
port_of(const struct endpoint *e, size_t i)
{
	char text[64];

	listener_address(e->sockets[i], text, sizeof(text));
	return (uint16_t)atoi(strrchr(text, ':') + 1);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

Test(listeners, bind_one_socket_for_each_worker)
{
	const uint16_t any[2] = { 0, 0 };
	struct listeners *l = open_ports(NULL, 3, 2, any);

	cr_assert_not_null(l);
	cr_assert_eq(l->n, 2);
	cr_assert_eq(l->admin->n, 1);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(l->of[i].endpoint->n, 3);
		cr_assert_eq(port_of(l->of[i].endpoint, 0), port_of(l->of[i].endpoint, 2));
	}
	cr_assert_neq(port_of(l->of[0].endpoint, 0), port_of(l->of[1].endpoint, 0));
	snapshot_drop(&l->snap);
}

/* SO_REUSEPORT would let both have it, and half of the clients would meet the admin listener. */
Test(listeners, the_admin_listener_shares_no_address)
{
	const uint16_t any = 0;
	struct listeners *a = open_ports(NULL, 1, 1, &any);
	struct proxy_conf *conf = conf_of(1, &any);

	conf->admin.port = port_of(a->of[0].endpoint, 0);
	cr_assert_null(listeners_open(conf, NULL, 1));
	snapshot_drop(&conf->snap);
	snapshot_drop(&a->snap);
}

Test(listeners, keep_what_stays_and_give_up_what_does_not)
{
	const uint16_t any[2] = { 0, 0 };
	struct listeners *a = open_ports(NULL, 2, 2, any), *b, *c, *d;
	struct endpoint *first = a->of[0].endpoint, *second = a->of[1].endpoint;
	int fd = second->sockets[1];

	b = open_ports(a, 2, 1, any);
	cr_assert_eq(b->admin, a->admin);
	snapshot_drop(&a->snap);
	cr_assert_eq(b->n, 2);
	cr_assert(b->of[0].endpoint == first && b->of[0].until == 0);
	cr_assert(b->of[1].endpoint == second && b->of[1].until > clock_now());
	cr_assert(listeners_refuse(b));
	/* It comes back in time. */
	c = open_ports(b, 2, 2, any);
	cr_assert(c->of[1].endpoint == second && c->of[1].until == 0);
	cr_assert_not(listeners_refuse(c));
	snapshot_drop(&c->snap);
	/* Another reload does not prolong it. */
	c = open_ports(b, 2, 1, any);
	cr_assert_eq(c->of[1].until, b->of[1].until);
	snapshot_drop(&c->snap);
	d = listeners_settle(b, b->of[1].until - 1);
	cr_assert_eq(d->n, 2);
	snapshot_drop(&d->snap);
	d = listeners_settle(b, b->of[1].until);
	cr_assert_eq(d->n, 1);
	cr_assert(is_open(fd));
	snapshot_drop(&b->snap);
	cr_assert_not(is_open(fd));
	snapshot_drop(&d->snap);
}

Test(listeners, an_address_in_use_leaves_nothing_behind)
{
	int taken = socket(AF_INET, SOCK_STREAM, 0), before, after;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);
	uint16_t ports[2] = { 0, 0 };

	cr_assert_eq(bind(taken, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(listen(taken, 1), 0);
	cr_assert_eq(getsockname(taken, (struct sockaddr *)&in, &len), 0);
	ports[1] = ntohs(in.sin_port);
	before = dup(taken);
	close(before);
	cr_assert_null(open_ports(NULL, 2, 2, ports));
	after = dup(taken);
	cr_assert_eq(before, after, "descriptors are left open");
	close(after);
	close(taken);
}

struct shares {
	unsigned of[8]; /* how many workers accept from each socket */
	size_t n;
};

static void
on_share(void *arg, int fd)
{
	struct shares *s = arg;

	s->of[fd]++;
	s->n++;
}

/* Each socket must be accepted from, and each worker must have one, whatever the numbers. */
Test(listeners, every_socket_and_every_worker_has_its_share)
{
	for (size_t n = 1; n < 8; n++)
		for (unsigned workers = 1; workers < 8; workers++) {
			struct endpoint *e = endpoint_new("x", false, n);
			struct shares s = { 0 };

			for (size_t i = 0; i < n; i++)
				e->sockets[i] = (int)i;
			e->n = n;
			for (unsigned w = 0; w < workers; w++) {
				size_t had = s.n;

				endpoint_share(e, w, workers, on_share, &s);
				cr_assert_gt(s.n, had);
			}
			for (size_t i = 0; i < n; i++)
				cr_assert_gt(s.of[i], 0);
			cr_assert_eq(s.n, n > workers ? n : workers);
			e->n = 0; /* they are none, and must not be closed */
			snapshot_drop(&e->snap);
		}
}
