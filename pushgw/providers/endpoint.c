/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/endpoint.h"

#include <stdio.h>

#include "lib/base/glob.h"
#include "lib/net/address.h"

#define HTTPS STR("https://")
#define HTTPS_PORT 443

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters, digits and "-" in labels; what ends in a number is an IPv4 address as everybody writes
 * it, not "0x7f.1". */
static bool
is_name(const char *host)
{
	const char *last = host;
	struct address literal;

	for (const char *p = host; *p != '\0'; p++) {
		if (*p == '.' ? p == host || p[-1] == '.' : *p != '-' && !is_alnum(*p))
			return false;
		if (*p == '.')
			last = p + 1;
	}
	return *last != '\0' &&
	       (*last < '0' || *last > '9' || address_parse(str_z(host), 0, &literal));
}

/* The characters of RFC 3986, without a fragment. */
static bool
is_url_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || str_chr(STR("\"#<>\\^`{|}"), s.p[i]) != NULL)
			return false;
	return true;
}

static void
lower(char *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		out[i] = str_lower(s.p[i]);
	out[s.n] = '\0';
}

/* "host" or "host:port" */
static bool
read_authority(struct endpoint *e, struct str authority)
{
	const char *bracket = str_chr(authority, ']');
	size_t behind = bracket != NULL ? (size_t)(bracket - authority.p) + 1 : 0;
	struct str rest = str_from(authority, behind), port_text, tail;
	bool v6 = behind > 0, has_port = str_cut(rest, ':', &tail, &port_text);
	struct str host = str_of(authority.p, behind + tail.n);
	struct address literal;
	uint64_t port = HTTPS_PORT;

	if (host.n > ENDPOINT_HOST_MAX || (v6 && tail.n > 0) ||
	    (has_port && (!str_to_u64(port_text, UINT16_MAX, &port) || port == 0)))
		return false;
	lower(e->host, host);
	if (v6 ? host.p[0] != '[' || !address_parse(host, 0, &literal) : !is_name(e->host))
		return false;
	snprintf(e->origin, sizeof(e->origin), "https://%s", e->host);
	if (port != HTTPS_PORT)
		snprintf(e->origin + strlen(e->origin), sizeof(e->origin) - strlen(e->origin),
		    ":%u", (unsigned)port);
	if (v6)
		lower(e->host, str_of(host.p + 1, host.n - 2));
	return true;
}

bool
endpoint_read(struct endpoint *e, struct str url)
{
	size_t n = HTTPS.n;

	if (url.n > ENDPOINT_MAX || url.n <= n || !str_eq_ci(str_of(url.p, n), HTTPS) ||
	    !is_url_text(url))
		return false;
	while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
		n++;
	return read_authority(e, str_of(url.p + HTTPS.n, n - HTTPS.n));
}

bool
endpoint_allowed(const struct endpoint *e, const struct conf_list *globs)
{
	for (size_t i = 0; i < globs->n; i++)
		if (glob_matches(str_z(globs->v[i]), str_z(e->host)))
			return true;
	return globs->n == 0;
}
