/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/matrix/name.h"

#include <arpa/inet.h>

#include "lib/base/utf8.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
label_char(char c)
{
	return is_digit(c) || c == '-' || (str_lower(c) >= 'a' && str_lower(c) <= 'z');
}

static bool
is_address(int family, struct str host)
{
	unsigned char address[16];
	char z[INET6_ADDRSTRLEN];

	if (host.n >= sizeof(z) || str_chr(host, '\0') != NULL)
		return false;
	memcpy(z, host.p, host.n);
	z[host.n] = '\0';
	return inet_pton(family, z, address) == 1;
}

/* 1*5DIGIT, of which 0 is no port. */
static bool
parse_port(struct str s, uint16_t *port)
{
	uint64_t v;

	if (s.n > 5 || !str_to_u64(s, UINT16_MAX, &v) || v == 0)
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
parse_ipv6(struct str s, struct server_name *out)
{
	const char *close = str_chr(s, ']');
	struct str rest;

	if (close == NULL)
		return false;
	out->kind = NAME_IPV6;
	out->host = str_of(s.p + 1, (size_t)(close - s.p) - 1);
	rest = str_from(s, out->host.n + 2);
	if (!is_address(AF_INET6, out->host))
		return false;
	return rest.n == 0 || (rest.p[0] == ':' && parse_port(str_from(rest, 1), &out->port));
}

/* *numeric: the last label consists of digits. */
static bool
check_labels(struct str host, bool *numeric)
{
	size_t label = 0;

	*numeric = true;
	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			*numeric = true;
			continue;
		}
		if (!label_char(host.p[i]))
			return false;
		*numeric = *numeric && is_digit(host.p[i]);
		label++;
	}
	return label > 0;
}

/* No top-level domain is a number.  What ends in one is an address or, like "127.1", something that
 * resolvers may take for an address other than the one it was checked for. */
static bool
parse_host(struct str host, struct server_name *out)
{
	bool dot = host.n > 0 && host.p[host.n - 1] == '.', numeric;

	out->host = str_of(host.p, host.n - dot);
	if (!check_labels(out->host, &numeric))
		return false;
	out->kind = numeric ? NAME_IPV4 : NAME_DNS;
	return !numeric || (!dot && is_address(AF_INET, host));
}

bool
name_parse(struct str s, struct server_name *out)
{
	struct str host, port;

	*out = (struct server_name){ .text = s };
	if (s.n == 0 || s.n > NAME_MAX_LEN)
		return false;
	if (s.p[0] == '[')
		return parse_ipv6(s, out);
	if (str_cut(s, ':', &host, &port) && !parse_port(port, &out->port))
		return false;
	return parse_host(host, out);
}

struct str
name_normal(struct str s, char out[NAME_MAX_LEN + 1])
{
	struct server_name name;
	char digits[5], *p = out;
	size_t n = 0;

	if (!name_parse(s, &name))
		return STR_NONE;
	if (name.kind == NAME_IPV6)
		*p++ = '[';
	for (size_t i = 0; i < name.host.n; i++)
		*p++ = str_lower(name.host.p[i]);
	if (name.kind == NAME_IPV6)
		*p++ = ']';
	for (unsigned v = name.port; v > 0; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	if (n > 0)
		*p++ = ':';
	while (n > 0)
		*p++ = digits[--n];
	*p = '\0';
	return str_of(out, (size_t)(p - out));
}

/* Which localparts exist is for the homeservers to say: the specification has them accept all of
 * Unicode but NUL and colon, and even an empty one. */
bool
mxid_parse(struct str s, struct str *localpart, struct str *server)
{
	struct server_name name;

	if (s.n == 0 || s.n > NAME_MAX_LEN || s.p[0] != '@')
		return false;
	if (!str_cut(str_from(s, 1), ':', localpart, server))
		return false;
	return str_chr(*localpart, '\0') == NULL && utf8_valid(*localpart) &&
	       name_parse(*server, &name);
}

/* The path without query and fragment, and without one "/" before those. */
static struct str
user_of_path(struct str path)
{
	size_t n = 0;

	while (n < path.n && path.p[n] != '?' && path.p[n] != '#')
		n++;
	if (n > 0 && path.p[n - 1] == '/')
		n--;
	return str_of(path.p, n);
}

/* "@" and the decoded user; a raw "/" would begin another path segment, so it is refused. */
static struct str
decode_user(struct arena *a, struct str user)
{
	char *start, *p;

	if (user.n > 3 * NAME_MAX_LEN || str_chr(user, '/') != NULL)
		return STR_NONE;
	start = p = arena_bytes(a, user.n + 1);
	if (p == NULL)
		return STR_NONE;
	*p++ = '@';
	for (size_t i = 0; i < user.n; i++) {
		int high, low;

		if (user.p[i] != '%') {
			*p++ = user.p[i];
			continue;
		}
		high = i + 2 < user.n ? str_hex(user.p[i + 1]) : -1;
		low = i + 2 < user.n ? str_hex(user.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return STR_NONE;
		*p++ = (char)(high << 4 | low);
		i += 2;
	}
	return str_of(start, (size_t)(p - start));
}

struct str
mxid_from_uri(struct arena *a, struct str uri)
{
	struct str scheme = STR("matrix:"), kind = STR("u/"), mxid = uri, localpart, server;

	if (uri.n > scheme.n && str_eq_ci(str_of(uri.p, scheme.n), scheme)) {
		uri = str_from(uri, scheme.n);
		if (!str_has_prefix(uri, kind))
			return STR_NONE;
		mxid = decode_user(a, user_of_path(str_from(uri, kind.n)));
	}
	return mxid_parse(mxid, &localpart, &server) ? mxid : STR_NONE;
}

bool
mxid_same(struct str a, struct str b)
{
	char normal_a[NAME_MAX_LEN + 1], normal_b[NAME_MAX_LEN + 1];
	struct str local_a, local_b, server_a, server_b;

	return mxid_parse(a, &local_a, &server_a) && mxid_parse(b, &local_b, &server_b) &&
	       str_eq(local_a, local_b) &&
	       str_eq(name_normal(server_a, normal_a), name_normal(server_b, normal_b));
}
