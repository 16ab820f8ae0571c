/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_target - the forms of a request target (RFC 9112 3.2) and the parts of each.
 */
#include <arpa/inet.h>

#include "lib/http/h1_int.h"

/* An address literal is only looked at for its characters; who wants to use it parses it. */
static size_t
host_length(struct str s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '[') {
		for (n = 1; n < s.n && (str_hex(s.p[n]) >= 0 || s.p[n] == ':' || s.p[n] == '.');
		     n++)
			;
		return n > 1 && n < s.n && s.p[n] == ']' ? n + 1 : 0;
	}
	while (n < s.n && h1_is(s.p[n], H1_C_HOST))
		n++;
	return n;
}

bool
h1_is_authority(struct str s, bool port_needed)
{
	size_t n = host_length(s);
	uint64_t port;

	if (n == 0)
		return false;
	if (n == s.n)
		return !port_needed;
	return s.p[n] == ':' && str_to_u64(str_from(s, n + 1), 65535, &port);
}

static bool
is_ipv6(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (s.n >= sizeof(text))
		return false;
	*str_put(text, s) = '\0';
	return strlen(text) == s.n && inet_pton(AF_INET6, text, &a) == 1;
}

/* Whether an address without brackets has lost its port can only be told from the address: without
 * its last group it must still be one. */
bool
h1_connect_target(struct str authority, struct str *host, uint16_t *port)
{
	const char *colon = authority.n > 0 ? memrchr(authority.p, ':', authority.n) : NULL;
	struct str h;
	uint64_t n;

	if (colon == NULL)
		return false;
	h = str_of(authority.p, (size_t)(colon - authority.p));
	if (!str_to_u64(str_from(authority, h.n + 1), 65535, &n) || n == 0 || h.n == 0)
		return false;
	if (h.p[0] == '[') {
		if (h.p[h.n - 1] != ']')
			return false;
		h = str_of(h.p + 1, h.n - 2);
		if (!is_ipv6(h))
			return false;
	} else if (host_length(h) != h.n && !is_ipv6(h)) {
		return false;
	}
	*host = h;
	*port = (uint16_t)n;
	return true;
}

static size_t
scheme_of(struct str target, bool proxy, enum h1_scheme *scheme)
{
	static const struct {
		struct str text;
		enum h1_scheme scheme;
		bool of_proxy;
	} schemes[] = {
		{ { "https://", 8 }, H1_HTTPS, false },
		{ { "http://", 7 }, H1_HTTP, false },
		{ { "matrix-federation://", 20 }, H1_MATRIX_FEDERATION, true },
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct str text = schemes[i].text;

		if (target.n >= text.n && str_eq_ci(str_of(target.p, text.n), text) &&
		    (proxy || !schemes[i].of_proxy)) {
			*scheme = schemes[i].scheme;
			return text.n;
		}
	}
	return 0;
}

/* What an absolute-form target without a path stands for. */
static enum err
empty_path(struct arena *a, struct str query, struct h1_head *out)
{
	char *p;

	if (query.n == 0) { /* RFC 9112 3.2.4 for OPTIONS */
		out->target = out->method == H1_OPTIONS ? STR("*") : STR("/");
		return OK;
	}
	p = arena_bytes(a, query.n + 1);
	if (p == NULL)
		return ERR_MEMORY;
	p[0] = '/';
	memcpy(p + 1, query.p, query.n);
	out->target = str_of(p, query.n + 1);
	return OK;
}

/* https://authority/path: split; the path keeps its bytes. */
static enum err
absolute_form(struct arena *a, bool proxy, struct h1_head *out)
{
	size_t scheme = scheme_of(out->target, proxy, &out->scheme), n = 0;
	struct str rest = str_from(out->target, scheme);

	if (scheme == 0)
		return ERR_HTTP_TARGET;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	out->authority = str_of(rest.p, n);
	if (!h1_is_authority(out->authority, false))
		return ERR_HTTP_TARGET;
	if (!proxy && !str_eq_ci(out->authority, out->host))
		return ERR_HTTP_HOST;
	rest = str_from(rest, n);
	if (rest.n == 0 || rest.p[0] == '?')
		return empty_path(a, rest, out);
	out->target = rest;
	return OK;
}

static bool
is_tunnel_target(struct str authority, bool proxy)
{
	struct str host;
	uint16_t port;

	return proxy ? h1_connect_target(authority, &host, &port)
		     : h1_is_authority(authority, true);
}

enum err
h1_target_parse(struct arena *a, bool proxy, struct h1_head *out)
{
	if (out->method == H1_CONNECT) {
		out->authority = out->target;
		return is_tunnel_target(out->authority, proxy) ? OK : ERR_HTTP_TARGET;
	}
	if (out->target.p[0] == '/')
		return OK;
	if (str_eq(out->target, STR("*")))
		return out->method == H1_OPTIONS ? OK : ERR_HTTP_TARGET;
	return absolute_form(a, proxy, out);
}
