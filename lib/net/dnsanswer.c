/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsanswer - a cursor over the message; no name is read, only passed over.
 */
#include "lib/net/dnsanswer.h"

#define TTL_MAX 0x7fffffffU /* a TTL with the highest bit set counts as 0 (RFC 2181, 8) */

struct cursor {
	const unsigned char *p;
	size_t left;
	bool bad;
};

static void
skip(struct cursor *c, size_t n)
{
	if (n > c->left) {
		c->bad = true;
		n = c->left;
	}
	c->p += n;
	c->left -= n;
}

static uint32_t
number(struct cursor *c, size_t bytes)
{
	const unsigned char *p = c->p;
	uint32_t v = 0;

	skip(c, bytes);
	for (size_t i = 0; !c->bad && i < bytes; i++)
		v = v << 8 | p[i];
	return c->bad ? 0 : v;
}

/* Labels up to the root or up to a pointer, which ends a name. */
static void
skip_name(struct cursor *c)
{
	while (!c->bad) {
		uint32_t label = number(c, 1);

		if ((label & 0xc0) == 0xc0)
			skip(c, 1);
		else if ((label & 0xc0) != 0)
			c->bad = true;
		else
			skip(c, label);
		if (label == 0 || label >= 0xc0)
			return;
	}
}

static uint32_t
ttl_of(uint32_t seconds)
{
	return seconds > TTL_MAX ? 0 : seconds;
}

static void
skip_question(struct cursor *c)
{
	skip_name(c);
	skip(c, 4);
}

static void
read_answer(struct cursor *c, uint16_t wanted, struct dnsanswer *out)
{
	uint32_t type, ttl;

	skip_name(c);
	type = number(c, 2);
	skip(c, 2);
	ttl = ttl_of(number(c, 4));
	skip(c, number(c, 2));
	if (c->bad)
		return;
	out->n += type == wanted;
	if (!out->has_ttl || ttl < out->ttl)
		out->ttl = ttl;
	out->has_ttl = true;
}

static void
read_authority(struct cursor *c, struct dnsanswer *out)
{
	struct cursor data;
	uint32_t type, ttl, minimum;

	skip_name(c);
	type = number(c, 2);
	skip(c, 2);
	ttl = ttl_of(number(c, 4));
	data = *c;
	skip(c, number(c, 2));
	if (c->bad || type != DNS_TYPE_SOA)
		return;
	data.left = number(&data, 2);
	skip_name(&data);
	skip_name(&data);
	skip(&data, 16); /* serial, refresh, retry, expire */
	minimum = ttl_of(number(&data, 4));
	if (data.bad) {
		c->bad = true;
		return;
	}
	out->has_negative = true;
	out->negative = ttl < minimum ? ttl : minimum;
}

struct dnsanswer
dnsanswer_read(struct str message, uint16_t wanted)
{
	struct cursor c = { (const unsigned char *)message.p, message.n, false };
	struct dnsanswer out = { 0 };
	uint32_t questions, answers, authorities;

	if (message.n == 0)
		return out;
	skip(&c, 4); /* ID and flags: c-ares has seen to them */
	questions = number(&c, 2);
	answers = number(&c, 2);
	authorities = number(&c, 2);
	skip(&c, 2); /* additional records do not matter */
	for (uint32_t i = 0; !c.bad && i < questions; i++)
		skip_question(&c);
	for (uint32_t i = 0; !c.bad && i < answers; i++)
		read_answer(&c, wanted, &out);
	for (uint32_t i = 0; !c.bad && i < authorities; i++)
		read_authority(&c, &out);
	return c.bad ? (struct dnsanswer){ 0 } : out;
}
