/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver_answer - what c-ares brings, as our answers.
 */
#include <limits.h>

#include "lib/net/resolver_int.h"

#define SECOND_MS ((clock_ms)1000)

static enum err
err_of(int status, enum err none)
{
	switch (status) {
	case ARES_SUCCESS:
		return OK;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
		return none;
	case ARES_ETIMEOUT:
		return ERR_TIMEOUT;
	case ARES_ENOMEM:
		return ERR_MEMORY;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return ERR_CANCELLED;
	default:
		return ERR_DNS;
	}
}

static clock_ms
ttl_of(const struct ares_addrinfo *ai)
{
	int ttl = INT_MAX;

	for (const struct ares_addrinfo_node *n = ai->nodes; n != NULL; n = n->ai_next)
		ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
	for (const struct ares_addrinfo_cname *c = ai->cnames; c != NULL; c = c->next)
		ttl = c->ttl < ttl ? c->ttl : ttl;
	return ttl > 0 ? (clock_ms)ttl * SECOND_MS : 0;
}

static void
take_addrs(struct resolver_query *q, const struct ares_addrinfo *ai)
{
	for (const struct ares_addrinfo_node *n = ai->nodes; n != NULL; n = n->ai_next)
		if (q->n < RESOLVER_MAX_ANSWERS &&
		    address_from(n->ai_addr, q->port, &q->addrs[q->n]))
			q->n++;
	q->ttl_ms = ttl_of(ai);
}

static void
take_denial(struct resolver_query *q, const struct dnsanswer *a)
{
	clock_ms ttl = a->has_negative ? a->negative * SECOND_MS : RESOLVER_TTL_NONE;

	if (ttl < q->ttl_ms)
		q->ttl_ms = ttl;
}

static void
on_denial(struct resolver_query *q, uint16_t type, int status, const void *reply, int len)
{
	struct dnsanswer a = dnsanswer_read(str_of(reply, (size_t)len), type);
	enum err err = err_of(status, ERR_NOT_FOUND);

	if (err == OK && a.n == 0)
		err = ERR_NOT_FOUND; /* an alias of nothing */
	if (err == ERR_NOT_FOUND)
		take_denial(q, &a);
	else
		q->denial = err != OK ? err : ERR_DNS; /* it has an answer now */
	if (--q->denials > 0)
		return;
	q->none = q->denial == OK;
	resolver_query_end(q, q->none ? ERR_DNS : q->denial);
}

static void
on_denial_a(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	on_denial(arg, DNS_TYPE_A, status, reply, len);
}

static void
on_denial_aaaa(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	on_denial(arg, DNS_TYPE_AAAA, status, reply, len);
}

/* ares_getaddrinfo() says "none" even if one of its two questions failed, and not for how long. */
static void
ask_for_denial(struct resolver_query *q)
{
	ares_channel channel = q->resolver->channel;

	q->ttl_ms = RESOLVER_TTL_FIXED;
	q->denials = 2;
	ares_query(channel, q->name, RESOLVER_CLASS_IN, DNS_TYPE_A, on_denial_a, q);
	ares_query(channel, q->name, RESOLVER_CLASS_IN, DNS_TYPE_AAAA, on_denial_aaaa, q);
}

void
resolver_on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolver_query *q = arg;
	enum err err = err_of(status, ERR_NOT_FOUND);

	if (err == OK) {
		take_addrs(q, ai);
		if (q->n == 0)
			err = ERR_NOT_FOUND;
	}
	if (ai != NULL)
		ares_freeaddrinfo(ai);
	if (err == ERR_NOT_FOUND && q->req != NULL)
		ask_for_denial(q);
	else
		resolver_query_end(q, err);
}

static void
take_services(struct resolver_query *q, const struct ares_srv_reply *r)
{
	for (; r != NULL && q->n < RESOLVER_MAX_ANSWERS; r = r->next) {
		struct resolver_service *s = &q->services[q->n];
		struct str target = str_z(r->host);

		if (target.n > 0 && target.p[target.n - 1] == '.')
			target.n--;
		if (target.n >= sizeof(s->target))
			continue;
		memcpy(s->target, target.p, target.n);
		s->port = r->port;
		s->priority = r->priority;
		s->weight = r->weight;
		q->n++;
	}
}

void
resolver_on_srv(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct resolver_query *q = arg;
	enum err err = err_of(status, ERR_NOT_FOUND);
	struct ares_srv_reply *records = NULL;
	struct dnsanswer a = dnsanswer_read(str_of((const char *)reply, (size_t)len), DNS_TYPE_SRV);

	if (err == OK)
		err = err_of(ares_parse_srv_reply(reply, len, &records), ERR_NOT_FOUND);
	if (err == OK) {
		take_services(q, records);
		resolver_order(q->services, q->n);
		q->ttl_ms = a.has_ttl ? a.ttl * SECOND_MS : 0;
		if (q->n == 0)
			err = ERR_NOT_FOUND;
	}
	if (err == ERR_NOT_FOUND) {
		q->none = true;
		q->ttl_ms = RESOLVER_TTL_FIXED;
		take_denial(q, &a);
	}
	if (records != NULL)
		ares_free_data(records);
	resolver_query_end(q, err);
}
