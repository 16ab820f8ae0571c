/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_tls - what the settings of tls and redis demand of each other; the value of HSTS.
 */
#include <stdio.h>

#include "proxy/config_check.h"

static void
check_redis(struct load *l, struct proxy_conf *c)
{
	struct redis_conf *r = &c->redis;

	if (r->address.text == NULL) {
		if (c->ticket_redis)
			load_fault(l, &c->ticket_redis, "ticket_redis: redis.address is not set");
		return;
	}
	if (!r->tls && !c->test_mode && !conf_address_is_loopback(&r->address))
		load_fault(l, &r->address,
		    "address: '%s' is another machine; set redis.tls, or use a loopback address or "
		    "unix:/path",
		    r->address.text);
	if (r->tls && r->address.unix_path != NULL)
		load_fault(l, &r->tls, "tls: a unix socket has none; remove the one or the other");
	if (r->address.unix_path == NULL && r->address.port == 0)
		load_fault(l, &r->address, "address: port 0 cannot be connected to");
	if (r->user != NULL && r->password_file == NULL)
		load_fault(
		    l, &r->user, "user: without password_file there is nothing to log in with");
}

static void
check_tickets(struct load *l, struct proxy_conf *c)
{
	if (c->ticket_redis && c->ticket_file != NULL)
		load_fault(l, &c->ticket_file,
		    "ticket_file: ticket_redis is set too; keys come from one of the two");
	if (c->ticket_redis != (c->ticket_secret_file != NULL))
		load_fault(l, c->ticket_redis ? (void *)&c->ticket_redis : &c->ticket_secret_file,
		    "ticket_secret_file: goes together with ticket_redis; %s",
		    c->ticket_redis ? "set it" : "remove it");
}

static void
make_hsts(struct load *l, struct proxy_conf *c)
{
	char text[48];
	int n = snprintf(text, sizeof(text), "max-age=%llu", (unsigned long long)(c->hsts / 1000));

	if (c->hsts == 0)
		return;
	c->hsts_value = arena_dup(l->ctx.arena, str_of(text, (size_t)n));
	if (c->hsts_value.p == NULL)
		load_fault(l, &c->hsts, "hsts: out of memory");
}

void
config_tls(struct load *l, struct proxy_conf *c)
{
	check_redis(l, c);
	check_tickets(l, c);
	make_hsts(l, c);
}
