/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_tls - what the settings of tls and redis demand of each other; the value of HSTS.
 */
#include <stdio.h>

#include "proxy/config_check.h"

static void
check_tickets(struct load *l, struct proxy_conf *c)
{
	if (c->ticket_redis && !redis_section_on(&c->redis))
		load_fault(l, &c->ticket_redis,
		    "ticket_redis: neither redis.address nor redis.sentinels is set");
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
	redis_section_check(l, &c->redis, c->test_mode);
	check_tickets(l, c);
	make_hsts(l, c);
}
