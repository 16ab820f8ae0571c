/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/proxyproto.h"

#include <arpa/inet.h>

#define V2_FIXED 16
#define V2_INET 12  /* two addresses, two ports */
#define V2_INET6 36 /* the same */

enum { TLV_CRC32C = 0x03 };

static const struct str v2_signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

/* --- version 1: one line of text --- */

/* A decimal number without sign and leading zeros. */
static bool
port_of(struct str s, uint16_t *port)
{
	uint64_t v;

	if (s.n == 0 || (s.n > 1 && s.p[0] == '0') || !str_to_u64(s, 65535, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
client_of(struct str line, sa_family_t family, struct address *client)
{
	struct str source, target, source_port, target_port;
	struct address to;
	uint16_t port;

	str_cut(line, ' ', &source, &line);
	str_cut(line, ' ', &target, &line);
	str_cut(line, ' ', &source_port, &target_port);
	if (!port_of(target_port, &port) || !port_of(source_port, &port))
		return false;
	return address_parse(source, port, client) && client->sa.sa_family == family &&
	       source.p[0] != '[' && address_parse(target, 0, &to) && to.sa.sa_family == family &&
	       target.p[0] != '[';
}

static enum proxyproto_verdict
parse_v1(struct str in, struct proxyproto *out)
{
	struct str head = in.n > PROXYPROTO_V1_MAX ? str_of(in.p, PROXYPROTO_V1_MAX) : in;
	const char *end = str_chr(head, '\n');
	struct str line;

	if (end == NULL)
		return head.n == PROXYPROTO_V1_MAX ? PROXYPROTO_BAD : PROXYPROTO_MORE;
	out->length = (size_t)(end - in.p) + 1;
	line = str_of(in.p, out->length - 1);
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return PROXYPROTO_BAD;
	line = str_from(str_of(line.p, line.n - 1), strlen("PROXY "));
	if (str_eq(line, STR("UNKNOWN")) || str_has_prefix(line, STR("UNKNOWN ")))
		return PROXYPROTO_GOOD; /* what follows the word is to be ignored */
	out->named = (str_has_prefix(line, STR("TCP4 ")) &&
			 client_of(str_from(line, 5), AF_INET, &out->client)) ||
		     (str_has_prefix(line, STR("TCP6 ")) &&
			 client_of(str_from(line, 5), AF_INET6, &out->client));
	return out->named ? PROXYPROTO_GOOD : PROXYPROTO_BAD;
}

/* --- version 2: binary --- */

static size_t
number16(const char *p)
{
	return (size_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

/* CRC32c (RFC 3720, appendix B.4) of the header with zeros where the checksum stands. */
static uint32_t
checksum(struct str header, size_t at)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < header.n; i++) {
		crc ^= i >= at && i < at + 4 ? 0 : (unsigned char)header.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* The fields from `at` to the end of the header. */
static bool
fields_are_good(struct str header, size_t at)
{
	while (at < header.n) {
		size_t value = at + 3, n;

		if (header.n < value)
			return false;
		n = number16(header.p + at + 1);
		if (n > header.n - value)
			return false;
		if (header.p[at] == TLV_CRC32C) {
			uint32_t given;

			if (n != sizeof(given))
				return false;
			memcpy(&given, header.p + value, sizeof(given));
			if (ntohl(given) != checksum(header, value))
				return false;
		}
		at = value + n;
	}
	return true;
}

static void
take_v4(const char *p, struct address *client)
{
	client->in.sin_family = AF_INET;
	memcpy(&client->in.sin_addr, p, 4);
	memcpy(&client->in.sin_port, p + 8, 2);
	client->len = sizeof(client->in);
}

static void
take_v6(const char *p, struct address *client)
{
	client->in6.sin6_family = AF_INET6;
	memcpy(&client->in6.sin6_addr, p, 16);
	memcpy(&client->in6.sin6_port, p + 32, 2);
	client->len = sizeof(client->in6);
}

/* `rest`: bytes behind the fixed part.  Returns the bytes of the addresses, SIZE_MAX: bad. */
static size_t
take_addresses(const char *p, unsigned family, size_t rest, struct proxyproto *out)
{
	switch (family) {
	case 0x1:
		if (rest < V2_INET)
			return SIZE_MAX;
		take_v4(p, &out->client);
		out->named = true;
		return V2_INET;
	case 0x2:
		if (rest < V2_INET6)
			return SIZE_MAX;
		take_v6(p, &out->client);
		out->named = true;
		return V2_INET6;
	default:
		return rest; /* unspecified or unix sockets: nothing in it is for us */
	}
}

static enum proxyproto_verdict
parse_v2(struct str in, struct proxyproto *out)
{
	unsigned char version, family;
	size_t rest, addresses;

	if (in.n < V2_FIXED)
		return PROXYPROTO_MORE;
	version = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	rest = number16(in.p + 14);
	if ((version != 0x20 && version != 0x21) || family >> 4 > 3 || (family & 15) > 2 ||
	    rest > PROXYPROTO_MAX - V2_FIXED)
		return PROXYPROTO_BAD;
	out->length = V2_FIXED + rest;
	if (in.n < out->length)
		return PROXYPROTO_MORE;
	if (version == 0x20) /* LOCAL: a check of the load balancer's own */
		return PROXYPROTO_GOOD;
	if (family >> 4 != 0 && (family & 15) != 1)
		return PROXYPROTO_BAD; /* not a stream */
	addresses = take_addresses(in.p + V2_FIXED, family >> 4, rest, out);
	if (addresses == SIZE_MAX ||
	    !fields_are_good(str_of(in.p, out->length), V2_FIXED + addresses))
		return PROXYPROTO_BAD;
	return PROXYPROTO_GOOD;
}

/* --- either --- */

/* Whether all of `in` that `mark` is long agrees with it. */
static bool
begins(struct str in, struct str mark)
{
	size_t n = in.n < mark.n ? in.n : mark.n;

	return n == 0 || memcmp(in.p, mark.p, n) == 0;
}

enum proxyproto_verdict
proxyproto_parse(struct str in, struct proxyproto *out)
{
	enum proxyproto_verdict verdict = PROXYPROTO_BAD;

	*out = (struct proxyproto){ 0 };
	if (begins(in, STR("PROXY ")))
		verdict = in.n < 6 ? PROXYPROTO_MORE : parse_v1(in, out);
	else if (begins(in, v2_signature))
		verdict = in.n < v2_signature.n ? PROXYPROTO_MORE : parse_v2(in, out);
	if (verdict == PROXYPROTO_GOOD && out->named)
		address_unmap(&out->client);
	return verdict;
}
