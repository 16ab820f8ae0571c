/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier - the calls, and the hosts they go to.
 */
#include "lib/http/courier.h"

#include <stdlib.h>

#include "lib/http/courier_int.h"

/* --- the courier --- */

struct courier *
courier_new(struct loop *loop, const struct courier_config *cfg)
{
	struct courier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->resolver = cfg->resolver;
	c->private_addresses = cfg->private_addresses;
	c->connections_max = cfg->connections_max;
	c->streams_max = cfg->streams_max;
	c->connect_timeout = cfg->connect_timeout;
	c->anchors = cfg->anchors;
	X509_STORE_up_ref(c->anchors);
	hash_init(&c->table);
	list_init(&c->done);
	list_init(&c->hosts);
	list_init(&c->idle);
	timer_init(&c->sweep, courier_hosts_sweep, c);
	if (!curlopt_proxy_copy(&c->proxy, cfg->proxy) ||
	    !curlopt_identity_copy(&c->identity, cfg->identity)) {
		courier_free(c);
		return NULL;
	}
	return c;
}

static void
drop(struct courier_host *h)
{
	struct list *node;

	while ((node = list_first(&h->waiting)) != NULL || (node = list_first(&h->running)) != NULL)
		courier_call_free(LIST_ENTRY(node, struct courier_call, node));
	courier_host_free(h);
}

void
courier_free(struct courier *c)
{
	struct list *node;

	if (c == NULL)
		return;
	while ((node = list_first(&c->done)) != NULL)
		courier_call_free(LIST_ENTRY(node, struct courier_call, node));
	while ((node = list_first(&c->hosts)) != NULL)
		drop(LIST_ENTRY(node, struct courier_host, node));
	timer_clear(&c->sweep);
	hash_fini(&c->table);
	X509_STORE_free(c->anchors);
	curlopt_proxy_fini(&c->proxy);
	curlopt_identity_fini(&c->identity);
	free(c);
}

void
courier_renew(struct courier *c)
{
	LIST_FOR(node, &c->hosts)
		courier_host_retire(LIST_ENTRY(node, struct courier_host, node));
}

/* --- calls --- */

struct courier_call *
courier_send(struct courier *c, const struct courier_request *req,
    void (*fn)(void *arg, const struct courier_answer *a), void *arg)
{
	struct courier_call *x = calloc(1, sizeof(*x));
	char *host = NULL;
	uint16_t port;

	if (x == NULL)
		return NULL;
	list_init(&x->node);
	x->fn = fn;
	x->arg = arg;
	timer_init(&x->deadline, courier_call_on_deadline, x);
	task_init(&x->task, courier_call_on_task, x);
	buf_init(&x->answer, req->answer_max);
	if (courier_call_copy(x, req, &host, &port))
		x->host = courier_host_of(c, host, port);
	free(host);
	if (x->host == NULL) {
		courier_call_free(x);
		return NULL;
	}
	x->host->n_calls++;
	list_append(&x->host->waiting, &x->node);
	timer_set(c->loop, &x->deadline, req->timeout_ms);
	courier_host_pump(x->host);
	return x;
}

void
courier_cancel(struct courier_call *x)
{
	if (x != NULL)
		courier_call_free(x);
}
