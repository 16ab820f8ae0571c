/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/conf/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_MAX 253
#define FORM "expected host:port, [ipv6]:port or unix:/path"

static const char no_memory[] = "out of memory";

char *
conf_path_join(struct arena *a, const char *folder, struct str path)
{
	size_t n = folder != NULL ? strlen(folder) : 0;
	char *out;

	if (n == 0 || (path.n > 0 && path.p[0] == '/'))
		return arena_z(a, path);
	if (folder[n - 1] == '/')
		n--;
	out = arena_bytes(a, n + 1 + path.n + 1);
	if (out == NULL)
		return NULL;
	memcpy(out, folder, n);
	out[n] = '/';
	memcpy(out + n + 1, path.p, path.n);
	out[n + 1 + path.n] = '\0';
	return out;
}

static const char *
parse_unix(struct arena *a, struct str path, const char *folder, struct conf_address *out)
{
	if (path.n == 0)
		return "the path behind unix: is empty";
	out->unix_path = conf_path_join(a, folder, path);
	if (out->unix_path == NULL)
		return no_memory;
	if (strlen(out->unix_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a unix socket has at most 107 bytes";
	return NULL;
}

static bool
is_name(struct str s)
{
	if (s.n == 0 || s.n > HOST_MAX || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = str_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
			c == '_'))
			return false;
		if (c == '.' && i + 1 < s.n && s.p[i + 1] == '.')
			return false;
	}
	return true;
}

/* Only digits and dots: it must then be a proper IPv4 address, or resolvers would each read their
 * own. */
static bool
looks_numeric(const char *host)
{
	return strspn(host, "0123456789.") == strlen(host);
}

static const char *
parse_tcp(struct arena *a, struct str s, struct conf_address *out)
{
	struct in6_addr ip6;
	struct in_addr ip4;
	struct str host, port;
	const char *bracket;
	uint64_t number;

	if (s.n > 0 && s.p[0] == '[') {
		bracket = str_chr(s, ']');
		if (bracket == NULL)
			return "a closing ] is missing";
		host = str_of(s.p + 1, (size_t)(bracket - s.p) - 1);
		port = str_from(s, host.n + 2);
		if (port.n == 0 || port.p[0] != ':')
			return "the port is missing; " FORM;
		port = str_from(port, 1);
	} else if (!str_cut(s, ':', &host, &port)) {
		return "the port is missing; " FORM;
	} else if (str_has_prefix(port, STR("//"))) {
		return "a URL; " FORM;
	} else if (str_chr(port, ':') != NULL) {
		return "an IPv6 address needs brackets: [::1]:8448";
	}
	if (!str_to_u64(port, 65535, &number))
		return "the port must be a number from 0 to 65535";
	out->port = (uint16_t)number;
	out->host = arena_z(a, host);
	if (out->host == NULL)
		return no_memory;
	if (s.p[0] == '[')
		return inet_pton(AF_INET6, out->host, &ip6) == 1
			   ? NULL
			   : "no IPv6 address between the brackets";
	if (host.n > 0 && looks_numeric(out->host))
		return inet_pton(AF_INET, out->host, &ip4) == 1 ? NULL : "not an IPv4 address";
	return is_name(host) ? NULL : "not a host name; " FORM;
}

const char *
conf_address_parse(struct arena *a, struct str s, const char *folder, struct conf_address *out)
{
	*out = (struct conf_address){ .text = arena_z(a, s) };
	if (out->text == NULL)
		return no_memory;
	if (memchr(s.p, '\0', s.n) != NULL)
		return "NUL byte in the address";
	if (str_has_prefix(s, STR("unix:")))
		return parse_unix(a, str_from(s, 5), folder, out);
	return parse_tcp(a, s, out);
}

bool
conf_address_is_ip(const struct conf_address *ad)
{
	struct in6_addr ip6;
	struct in_addr ip4;

	return ad->host != NULL && (inet_pton(AF_INET, ad->host, &ip4) == 1 ||
				       inet_pton(AF_INET6, ad->host, &ip6) == 1);
}

bool
conf_address_is_loopback(const struct conf_address *ad)
{
	struct in6_addr ip6;
	struct in_addr ip4;

	if (ad->unix_path != NULL)
		return true;
	if (ad->host == NULL)
		return false;
	if (inet_pton(AF_INET, ad->host, &ip4) == 1)
		return (ntohl(ip4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, ad->host, &ip6) == 1 && IN6_IS_ADDR_LOOPBACK(&ip6);
}

char *
conf_address_url(const struct conf_address *ad, char *out, size_t size)
{
	bool v6 = ad->host != NULL && strchr(ad->host, ':') != NULL;

	if (ad->unix_path != NULL)
		snprintf(out, size, "http://localhost");
	else
		snprintf(out, size, "http://%s%s%s:%u", v6 ? "[" : "", ad->host, v6 ? "]" : "",
		    ad->port);
	return out;
}
