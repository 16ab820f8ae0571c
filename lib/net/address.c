/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

/* clang-format off */
static const struct network refused_v4[] = {
	{ { 0 }, 8 },                /* "this network" (RFC 791) */
	{ { 10 }, 8 },               /* private (RFC 1918) */
	{ { 100, 64 }, 10 },         /* shared, carrier-grade NAT (RFC 6598) */
	{ { 127 }, 8 },              /* loopback */
	{ { 169, 254 }, 16 },        /* link-local */
	{ { 172, 16 }, 12 },         /* private */
	{ { 192, 0, 0 }, 24 },       /* protocol assignments (RFC 6890) */
	{ { 192, 0, 2 }, 24 },       /* documentation */
	{ { 192, 31, 196 }, 24 },    /* AS112 */
	{ { 192, 52, 193 }, 24 },    /* AMT */
	{ { 192, 88, 99 }, 24 },     /* 6to4 relays, withdrawn */
	{ { 192, 168 }, 16 },        /* private */
	{ { 192, 175, 48 }, 24 },    /* AS112 */
	{ { 198, 18 }, 15 },         /* benchmarks (RFC 2544) */
	{ { 198, 51, 100 }, 24 },    /* documentation */
	{ { 203, 0, 113 }, 24 },     /* documentation */
	{ { 224 }, 4 },              /* multicast */
	{ { 240 }, 4 },              /* reserved, broadcast */
};

/* Only 2000::/3 is global unicast; these parts of it are not. */
static const struct network global_v6 = { { 0x20 }, 3 };
static const struct network refused_v6[] = {
	{ { 0x20, 0x01, 0x00 }, 23 },             /* protocol assignments: Teredo, ORCHID, benchmarks */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },       /* documentation */
	{ { 0x20, 0x02 }, 16 },                   /* 6to4: may embed any IPv4 address */
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80 }, 48 }, /* AS112 */
	{ { 0x3f, 0xfe }, 16 },                   /* 6bone, withdrawn */
	{ { 0x3f, 0xff }, 20 },                   /* documentation (RFC 9637) */
	{ { 0x5f }, 16 },                         /* segment routing IDs */
};
/* clang-format on */

static bool
has_prefix(const uint8_t *addr, const struct network *p)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	if (memcmp(addr, p->bytes, whole) != 0)
		return false;
	return rest == 0 || ((addr[whole] ^ p->bytes[whole]) >> (8 - rest)) == 0;
}

static bool
in_any(const uint8_t *addr, const struct network *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_prefix(addr, &p[i]))
			return true;
	return false;
}

#define IN_ANY(addr, table) in_any((addr), (table), sizeof(table) / sizeof((table)[0]))

bool
address_is_public(const struct sockaddr *sa)
{
	struct address a;

	if (!address_from(sa, 0, &a))
		return false;
	if (a.sa.sa_family == AF_INET)
		return !IN_ANY((const uint8_t *)&a.in.sin_addr, refused_v4);
	return has_prefix(a.in6.sin6_addr.s6_addr, &global_v6) &&
	       !IN_ANY(a.in6.sin6_addr.s6_addr, refused_v6);
}

bool
address_from(const struct sockaddr *sa, uint16_t port, struct address *out)
{
	*out = (struct address){ 0 };
	if (sa->sa_family == AF_INET) {
		memcpy(&out->in, sa, sizeof(out->in));
		out->in.sin_port = htons(port);
		out->len = sizeof(out->in);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&out->in6, sa, sizeof(out->in6));
		out->in6.sin6_port = htons(port);
		out->len = sizeof(out->in6);
	}
	return out->len > 0;
}

bool
address_parse(struct str literal, uint16_t port, struct address *out)
{
	char z[INET6_ADDRSTRLEN];

	*out = (struct address){ 0 };
	if (literal.n >= 2 && literal.p[0] == '[' && literal.p[literal.n - 1] == ']')
		literal = str_of(literal.p + 1, literal.n - 2);
	if (literal.n == 0 || literal.n >= sizeof(z) || str_chr(literal, '\0') != NULL)
		return false;
	memcpy(z, literal.p, literal.n);
	z[literal.n] = '\0';
	if (inet_pton(AF_INET, z, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port);
		out->len = sizeof(out->in);
		return true;
	}
	if (inet_pton(AF_INET6, z, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		out->len = sizeof(out->in6);
		return true;
	}
	return false;
}

/* The last label, of a name that may end in a dot. */
static struct str
last_label(struct str host)
{
	const char *dot;

	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	dot = host.n > 0 ? memrchr(host.p, '.', host.n) : NULL;
	return dot != NULL ? str_from(host, (size_t)(dot - host.p) + 1) : host;
}

/* As inet_aton() reads it: decimal, octal or, behind "0x", hexadecimal. */
static bool
is_number(struct str label)
{
	size_t i = 0;

	if (label.n >= 2 && str_eq_ci(str_of(label.p, 2), STR("0x"))) {
		for (i = 2; i < label.n && str_hex(label.p[i]) >= 0; i++)
			;
		return i == label.n;
	}
	while (i < label.n && label.p[i] >= '0' && label.p[i] <= '9')
		i++;
	return i == label.n;
}

bool
address_may_be_public(struct str host)
{
	struct str last = last_label(host);
	struct address a;

	if (address_parse(host, 0, &a))
		return address_is_public(&a.sa);
	return !is_number(last) && !str_eq_ci(last, STR("localhost"));
}

bool
address_eq(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

void
address_unmap(struct address *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	v4.sin_port = a->in6.sin6_port;
	memcpy(&v4.sin_addr, a->in6.sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
	*a = (struct address){ .in = v4, .len = sizeof(v4) };
}

char *
address_bare(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	out[0] = '\0';
	if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, out, ADDRESS_TEXT_MAX);
	else if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, out, ADDRESS_TEXT_MAX);
	return out;
}

struct str
address_party(const struct address *a)
{
	if (a->sa.sa_family == AF_INET)
		return str_of((const char *)&a->in.sin_addr, 4);
	if (a->sa.sa_family == AF_INET6)
		return str_of((const char *)a->in6.sin6_addr.s6_addr, 8);
	return STR_NONE;
}

char *
address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	char z[INET6_ADDRSTRLEN] = "";

	if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, z, sizeof(z));
		snprintf(out, ADDRESS_TEXT_MAX, "[%s]", z);
	} else {
		inet_ntop(AF_INET, &a->in.sin_addr, z, sizeof(z));
		snprintf(out, ADDRESS_TEXT_MAX, "%s", z);
	}
	return out;
}

/* --- networks --- */

static bool
has_zeros_behind(const uint8_t *bytes, unsigned bits, unsigned max)
{
	for (unsigned i = bits; i < max; i++)
		if (bytes[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

bool
network_parse(struct str text, struct network *out)
{
	struct str literal, length;
	struct address a;
	unsigned max;
	uint64_t bits;
	bool has_length = str_cut(text, '/', &literal, &length);

	*out = (struct network){ 0 };
	if (!address_parse(literal, 0, &a) || literal.p[0] == '[')
		return false;
	max = a.sa.sa_family == AF_INET ? 32 : 128;
	bits = max;
	if (has_length && !str_to_u64(length, max, &bits))
		return false;
	out->family = a.sa.sa_family;
	out->bits = (unsigned)bits;
	if (out->family == AF_INET)
		memcpy(out->bytes, &a.in.sin_addr, 4);
	else
		memcpy(out->bytes, a.in6.sin6_addr.s6_addr, 16);
	return has_zeros_behind(out->bytes, out->bits, max);
}

bool
networks_have(const struct networks *n, const struct address *a)
{
	const uint8_t *bytes = a->sa.sa_family == AF_INET ? (const uint8_t *)&a->in.sin_addr
							  : a->in6.sin6_addr.s6_addr;

	for (size_t i = 0; i < n->n; i++)
		if (n->v[i].family == a->sa.sa_family && has_prefix(bytes, &n->v[i]))
			return true;
	return false;
}
