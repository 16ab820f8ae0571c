/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_host - one host: its addresses, its calls that wait, its end.
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/http/courier_int.h"

static bool
is_fresh(const struct courier_host *h)
{
	return h->asked != 0 && loop_now(h->courier->loop) - h->asked < COURIER_NAMES_MS;
}

/* --- addresses --- */

static void
fail_waiting(struct courier_host *h, enum err err)
{
	struct list *node;

	while ((node = list_first(&h->waiting)) != NULL)
		courier_call_finish(LIST_ENTRY(node, struct courier_call, node), err);
}

static void
take_addresses(struct courier_host *h, const struct address *addrs, size_t n)
{
	const struct courier *c = h->courier;

	h->n_addrs = 0;
	for (size_t i = 0; i < n; i++)
		if (c->proxy.host != NULL || c->private_addresses ||
		    address_is_public(&addrs[i].sa))
			h->addrs[h->n_addrs++] = addrs[i];
}

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	struct courier_host *h = arg;

	h->asking = false;
	if (err == OK)
		take_addresses(h, addrs, n);
	else if (h->req.none)
		h->n_addrs = 0;
	if (h->n_addrs == 0) {
		h->asked = 0;
		fail_waiting(h, err == OK ? ERR_ADDRESS : err);
		return;
	}
	/* With name servers that fail, the earlier answer goes on to count. */
	h->asked = loop_now(h->courier->loop);
	courier_host_pump(h);
}

static bool
ask(struct courier_host *h)
{
	struct courier *c = h->courier;
	bool proxied = c->proxy.host != NULL;

	h->asking = resolver_addrs(c->resolver, str_z(proxied ? c->proxy.host : h->name),
	    proxied ? c->proxy.port : h->port, &h->req, on_addrs, h);
	return h->asking;
}

/* --- calls --- */

/* Whether a proxy may be told to connect there. */
static bool
may_name(const struct courier_host *h)
{
	const struct courier *c = h->courier;

	return c->proxy.host == NULL || c->private_addresses ||
	       address_may_be_public(str_z(h->name));
}

static void
start_waiting(struct courier_host *h)
{
	struct list *node;

	while ((!h->proving || h->n_running == 0) && (node = list_first(&h->waiting)) != NULL) {
		struct courier_call *x = LIST_ENTRY(node, struct courier_call, node);

		list_remove(node);
		list_append(&h->running, node);
		if (!courier_call_start(x))
			courier_call_finish(x, ERR_MEMORY);
	}
}

void
courier_host_pump(struct courier_host *h)
{
	if (list_empty(&h->waiting))
		return;
	if (!may_name(h))
		fail_waiting(h, ERR_ADDRESS);
	else if (is_fresh(h))
		start_waiting(h);
	else if (!h->asking && !ask(h))
		fail_waiting(h, ERR_MEMORY);
}

void
courier_host_left(struct courier_host *h)
{
	h->n_calls--;
	/* Not at once: this may be the host whose calls somebody goes through. */
	task_defer(h->courier->loop, &h->tidy);
}

/* --- its connections --- */

bool
courier_host_opened(struct courier_host *h, int fd)
{
	int *more = realloc(h->sockets, (h->n_sockets + 1) * sizeof(*more));

	if (more == NULL)
		return false;
	h->sockets = more;
	h->sockets[h->n_sockets++] = fd;
	return true;
}

int
courier_host_close(void *host, curl_socket_t fd)
{
	struct courier_host *h = host;

	for (size_t i = 0; i < h->n_sockets; i++)
		if (h->sockets[i] == fd) {
			h->sockets[i] = h->sockets[--h->n_sockets];
			break;
		}
	return close(fd);
}

/* While a connection is idle nobody looks at it; afterwards libcurl looks whether something came,
 * which the last words of a server hide the end behind. */
static bool
was_closed(const struct courier_host *h)
{
	for (size_t i = 0; h->n_running == 0 && i < h->n_sockets; i++) {
		struct pollfd p = { .fd = h->sockets[i], .events = POLLRDHUP };

		if (poll(&p, 1, 0) > 0)
			return true;
	}
	return false;
}

/* --- its end --- */

static void
leave_table(struct courier_host *h)
{
	if (!h->retired)
		hash_remove(&h->courier->table, &h->by_name);
	h->retired = true;
}

static void
end_idle(struct courier_host *h)
{
	if (!list_empty(&h->idle_node))
		h->courier->n_idle--;
	list_remove(&h->idle_node);
}

void
courier_host_free(struct courier_host *h)
{
	leave_table(h);
	end_idle(h);
	list_remove(&h->node);
	task_cancel(&h->tidy);
	resolver_cancel(&h->req);
	curlloop_free(h->curl);
	free(h->sockets);
	free(h->name);
	free(h);
}

static void
begin_idle(struct courier_host *h)
{
	struct courier *c = h->courier;

	h->idle_since = loop_now(c->loop);
	if (list_empty(&c->idle))
		timer_set(c->loop, &c->sweep, COURIER_IDLE_MS);
	list_append(&c->idle, &h->idle_node);
	if (++c->n_idle > COURIER_IDLE_HOSTS)
		courier_host_free(LIST_ENTRY(list_first(&c->idle), struct courier_host, idle_node));
}

static void
on_tidy(void *arg)
{
	struct courier_host *h = arg;

	if (h->n_calls > 0)
		courier_host_pump(h);
	else if (h->retired)
		courier_host_free(h);
	else if (list_empty(&h->idle_node))
		begin_idle(h);
}

void
courier_hosts_sweep(void *courier)
{
	struct courier *c = courier;
	struct list *node;

	while ((node = list_first(&c->idle)) != NULL) {
		struct courier_host *h = LIST_ENTRY(node, struct courier_host, idle_node);
		clock_ms age = loop_now(c->loop) - h->idle_since;

		if (age < COURIER_IDLE_MS) {
			timer_set(c->loop, &c->sweep, COURIER_IDLE_MS - age);
			return;
		}
		courier_host_free(h);
	}
}

static void
hand_over(struct courier_host *h)
{
	struct courier_host *to = courier_host_of(h->courier, h->name, h->port);
	struct list *node;

	if (to == NULL) {
		fail_waiting(h, ERR_MEMORY);
		return;
	}
	while ((node = list_first(&h->waiting)) != NULL) {
		list_remove(node);
		list_append(&to->waiting, node);
		LIST_ENTRY(node, struct courier_call, node)->host = to;
		h->n_calls--;
		to->n_calls++;
	}
	courier_host_pump(to);
}

void
courier_host_retire(struct courier_host *h)
{
	if (h->retired)
		return;
	leave_table(h);
	end_idle(h);
	if (!list_empty(&h->waiting))
		hand_over(h);
	task_defer(h->courier->loop, &h->tidy);
}

/* --- making and finding --- */

static struct courier_host *
make(struct courier *c, const char *name, uint16_t port, uint64_t hash)
{
	struct courier_host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->courier = c;
	h->port = port;
	h->proving = true;
	h->retired = true; /* until it is found */
	list_init(&h->idle_node);
	list_init(&h->waiting);
	list_init(&h->running);
	list_init(&h->node);
	list_prepend(&c->hosts, &h->node); /* of use in courier_renew(), which makes new ones */
	task_init(&h->tidy, on_tidy, h);
	resolver_req_init(&h->req);
	h->name = strdup(name);
	h->curl = curlloop_new(c->loop, courier_call_ended);
	if (h->name == NULL || h->curl == NULL || !hash_insert(&c->table, &h->by_name, hash)) {
		courier_host_free(h);
		return NULL;
	}
	h->retired = false;
	curlloop_limit(h->curl, c->connections_max, c->streams_max);
	return h;
}

struct courier_host *
courier_host_of(struct courier *c, const char *name, uint16_t port)
{
	uint64_t hash = hash_str(str_z(name)) ^ port;

	for (struct hash_node *n = hash_first(&c->table, hash); n != NULL; n = hash_next(n)) {
		struct courier_host *h = HASH_ENTRY(n, struct courier_host, by_name);

		if (h->port != port || strcmp(h->name, name) != 0)
			continue;
		end_idle(h);
		if (!was_closed(h))
			return h;
		courier_host_retire(h);
		break;
	}
	return make(c, name, port, hash);
}
