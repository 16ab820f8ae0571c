/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/judge_out.h"

#include "lib/matrix/name.h"
#include "proxy/judge.h"
#include "proxy/series.h"

#define HTTPS_PORT 443

/* --- the head --- */

static bool
leaves(const struct route *r)
{
	return r->api == API_FEDERATION || r->api == API_KEYS || r->out != OUT_NONE;
}

/* In a tunnel to one site others may be asked for that share its address. */
static bool
names_itself(const struct judged *j, const struct aim *aim)
{
	struct server_name host;

	return !aim->tunnelled ||
	       (name_parse(j->req->host, &host) && str_eq_ci(host.host, aim->host) &&
		   (host.port == 0 || host.port == aim->port) &&
		   (aim->sni.n == 0 || str_eq_ci(aim->sni, aim->host)));
}

/* What is federation is judged as such, even at an allowed destination; what only looks like it is
 * refused there (rule_guest). */
static bool
is_guest(const struct judged *j, const struct aim *aim)
{
	return aim->allowed != NULL && (j->route == NULL || j->route->out != OUT_NONE);
}

/* A server that does not expect the body of a GET takes it for the next request, and the answer to
 * that for the one of who has the connection next, perhaps of another service. */
static enum err
judge_guest(const struct judged *j, const struct aim *aim)
{
	if (!names_itself(j, aim))
		return ERR_OUT_TARGET_REFUSED;
	return judge_has_stray_body(j) ? ERR_HTTP_BODY : rule_guest(j);
}

/* NULL: none that leaves us. */
static enum err
find_route(struct judged *j, struct segments *path)
{
	enum err err = route_split(j->arena, j->req->target, path);

	j->path = path;
	if (err == OK)
		err = route_find(path, j->req->method_text, &j->route);
	if (err != OK || !leaves(j->route))
		j->route = NULL;
	return err;
}

enum err
judge_out_head(struct judged *j, struct aim *aim, struct segments *path)
{
	enum h1_method method = j->req->method;
	enum err err;

	if (method == H1_CONNECT || method == H1_TRACE)
		return ERR_OUT_TARGET_REFUSED;
	if (aim->server.n == 0)
		aim->allowed = aim_allowed(aim, &j->service->way_out);
	err = find_route(j, path);
	if (is_guest(j, aim)) {
		j->route = NULL;
		return judge_guest(j, aim);
	}
	if (aim->plain)
		return ERR_OUT_PLAIN;
	/* No 404: it would be taken for the other server's. */
	return j->route != NULL ? OK : err == ERR_PATH ? ERR_PATH : ERR_OUT_TARGET_REFUSED;
}

/* --- which rules apply --- */

bool
judge_out_is_federation(const struct judged *j)
{
	return j->route != NULL;
}

bool
judge_out_is_signed(const struct judged *j)
{
	const struct route *r = j->route;

	if (r == NULL || r->out == OUT_WELL_KNOWN)
		return false;
	return (r->api == API_FEDERATION && r->open == ROUTE_AUTH) || judge_carries_xmatrix(j);
}

bool
judge_out_verifies(const struct judged *j)
{
	return judge_out_is_signed(j) && j->service->way_out.signature != RULE_OFF;
}

bool
judge_out_asks_domains(const struct judged *j)
{
	return judge_out_is_signed(j) && j->service->way_out.domains != RULE_OFF;
}

bool
judge_out_inspects(const struct judged *j)
{
	return judge_out_verifies(j) || judge_out_asks_domains(j) ||
	       (judge_out_is_signed(j) && j->service->way_out.invites != RULE_OFF);
}

/* --- whom it is meant for --- */

/* The server in the path is the one that is asked. */
static enum err
media_destination(struct judged *j)
{
	struct str server = rule_media_server(j);
	struct server_name name;

	if (j->destination.n == 0)
		j->destination = server;
	return name_parse(server, &name) && rule_same_server(server, j->destination)
		   ? OK
		   : ERR_OUT_DESTINATION;
}

/* Only a DNS name without a port has such a document, and it is asked for at 443. */
static enum err
document_destination(struct judged *j, const struct aim *aim)
{
	struct server_name name;

	if (j->destination.n == 0 && aim->port == HTTPS_PORT)
		j->destination = aim->host;
	return name_parse(j->destination, &name) && name.kind == NAME_DNS && name.port == 0
		   ? OK
		   : ERR_OUT_TARGET_REFUSED;
}

enum err
judge_out_destination(struct judged *j, const struct aim *aim)
{
	enum err err = OK;

	j->destination = aim->server;
	j->origin = str_z(j->service->server_name);
	if (judge_out_is_signed(j))
		err = rule_outbound(j);
	if (err != OK)
		return err;
	switch (j->route->out) {
	case OUT_WELL_KNOWN:
		return document_destination(j, aim);
	case OUT_MEDIA:
		return media_destination(j);
	default:
		return OK;
	}
}

/* Without delegation Host is the server's name; with it, the name was looked up before, through us
 * too. */
enum err
judge_out_owner(struct judged *j, const struct aim *aim)
{
	const struct destination_owner *o =
	    (const struct destination_owner *)(const void *)aim->owner;
	struct str name = aim->tunnelled ? j->req->host : j->req->authority;

	for (size_t i = 0; !rule_is_listed(j, name) && o->fact.err == OK && i < o->n; i++)
		if (rule_is_listed(j, str_z(o->names[i])))
			name = str_z(o->names[i]);
	j->destination = arena_dup(j->arena, name); /* the fact goes before the answer is written */
	return j->destination.p != NULL ? OK : ERR_MEMORY;
}

enum err
judge_out_tie(const struct judged *j, const struct aim *aim)
{
	const struct destination *d = aim_destination(aim);

	if (aim->server.n > 0 || j->route == NULL || j->route->out == OUT_WELL_KNOWN)
		return OK;
	if (!destination_is_at(d, aim->host, aim->port))
		return ERR_OUT_DESTINATION;
	return aim->sni.n == 0 || str_eq_ci(aim->sni, str_z(d->tls_name)) ? OK
									  : ERR_OUT_DESTINATION;
}

/* --- the body --- */

enum err
judge_out_body(struct judged *j, enum err keys)
{
	enum err err = judge_understand(j);

	if (err != OK || !judge_out_verifies(j))
		return err;
	/* Keys we could not get say nothing about the request. */
	err = keys == OK ? rule_signature(j) : j->keys == NULL ? ERR_LOOKUP : ERR_OUT_KEY;
	return judge_weigh(j, j->service->way_out.signature, err, S_RULE_LOGGED_OUT_SIGNATURE);
}

enum err
judge_out_domains(struct judged *j, bool last)
{
	enum rule_mode mode = j->service->way_out.domains;
	enum err err = j->domains == NULL ? rule_domains_list(j) : OK;

	if (err == OK)
		err = rule_domains(j);
	if (err == ERR_DOMAIN_UNLISTED && !last && mode == RULE_ENFORCE)
		return err;
	return judge_weigh(j, mode, err, S_RULE_LOGGED_OUT_DOMAINS);
}
