/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/aim.h"

#include "lib/matrix/name.h"

static enum err
take_host(struct aim *out, struct arena *a, struct str host, uint16_t port)
{
	struct server_name name;
	char *lower = arena_bytes(a, host.n + 3);
	size_t n = 0;

	if (lower == NULL)
		return ERR_MEMORY;
	/* The grammar of server names is that of hosts; IPv6 is in brackets there. */
	if (memchr(host.p, ':', host.n) != NULL)
		lower[n++] = '[';
	for (size_t i = 0; i < host.n; i++)
		lower[n++] = str_lower(host.p[i]);
	if (lower[0] == '[')
		lower[n++] = ']';
	if (!name_parse(str_of(lower, n), &name) || name.port != 0)
		return ERR_OUT_TARGET;
	out->host = name.host;
	out->port = port;
	return OK;
}

enum err
aim_at(struct aim *out, struct arena *a, struct str authority, uint16_t preset)
{
	struct server_name name;
	struct str host;
	uint16_t port;

	if (preset == 0)
		return h1_connect_target(authority, &host, &port) ? take_host(out, a, host, port)
								  : ERR_OUT_TARGET;
	if (!name_parse(authority, &name))
		return ERR_OUT_TARGET;
	return take_host(out, a, name.host, name.port != 0 ? name.port : preset);
}

enum err
aim_of_request(struct aim *out, struct arena *a, const struct h1_head *req)
{
	struct server_name name;

	switch (req->scheme) {
	case H1_MATRIX_FEDERATION:
		if (!name_parse(req->authority, &name))
			return ERR_OUT_TARGET;
		out->server = req->authority;
		return OK;
	case H1_HTTPS:
		return aim_at(out, a, req->authority, 443);
	case H1_HTTP:
		out->plain = true;
		return aim_at(out, a, req->authority, 80);
	default:
		return ERR_PROXY_FORM;
	}
}

static bool
is_below(struct str host, struct str pattern)
{
	struct str tail = str_from(pattern, 1); /* ".example.org" */

	return host.n > tail.n && str_eq(str_from(host, host.n - tail.n), tail);
}

const struct allowed_conf *
aim_allowed(const struct aim *aim, const struct way_out_conf *w)
{
	for (size_t i = 0; i < w->n_allow; i++) {
		struct str pattern = str_z(w->allow[i].host);

		if (w->allow[i].port == aim->port &&
		    (pattern.p[0] == '*' ? is_below(aim->host, pattern)
					 : str_eq(aim->host, pattern)))
			return &w->allow[i];
	}
	return NULL;
}
