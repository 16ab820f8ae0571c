/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/judge.h"

#include "lib/base/log.h"
#include "lib/matrix/canonical.h"
#include "proxy/miss.h"
#include "proxy/series.h"

/* --- the head --- */

/* The host of a Host field in lower case, without port and brackets. */
static struct str
lower_host(struct str host, char out[256])
{
	struct str rest;

	if (host.n > 0 && host.p[0] == '[')
		str_cut(str_from(host, 1), ']', &host, &rest);
	else
		str_cut(host, ':', &host, &rest);
	if (host.n > 255)
		return STR_NONE;
	for (size_t i = 0; i < host.n; i++)
		out[i] = str_lower(host.p[i]);
	return str_of(out, host.n);
}

static const struct service_conf *
service_of(const struct proxy_conf *conf, struct str host)
{
	char lower[256];

	return proxy_conf_service_by_host(conf, lower_host(host, lower));
}

/* The service by Host, confirmed by what the client asked TLS for. */
static enum err
find_service(struct judged *j, const struct proxy_conf *conf, struct str sni)
{
	const struct service_conf *s = service_of(conf, j->req->host);

	if (s == NULL || (sni.n > 0 ? service_of(conf, sni) != s : !s->is_default))
		return ERR_MISDIRECTED;
	j->service = s;
	j->federation = proxy_conf_federation(conf, s);
	return OK;
}

static enum err
check_listener(const struct judged *j, enum listener_kind kind)
{
	bool clients = kind & LISTEN_CLIENTS;

	switch (j->route->api) {
	case API_INTERNAL:
		return ERR_ADMIN_PATH;
	case API_ADMIN:
		return !j->service->admin_paths ? ERR_ADMIN_PATH : clients ? OK : ERR_UNRECOGNIZED;
	case API_CLIENT:
		return clients ? OK : ERR_UNRECOGNIZED;
	default:
		return kind & LISTEN_FEDERATION ? OK : ERR_UNRECOGNIZED;
	}
}

enum err
judge_head(struct judged *j, const struct proxy_conf *conf, struct str sni, enum listener_kind kind,
    struct segments *path)
{
	enum h1_method method = j->req->method;
	enum err err = find_service(j, conf, sni);

	if (err == OK && (method == H1_CONNECT || method == H1_TRACE))
		err = ERR_METHOD;
	if (err == OK)
		err = route_split(j->arena, j->req->target, path);
	if (err != OK)
		return err;
	j->path = path;
	err = route_find(path, j->req->method_text, &j->route);
	if (err != OK)
		return err;
	return check_listener(j, kind);
}

/* --- which rules apply --- */

bool
judge_carries_xmatrix(const struct judged *j)
{
	const struct h1_field *f = h1_find(j->req, H1_F_AUTHORIZATION);

	while (f != NULL && !xmatrix_is(f->value))
		f = h1_next(j->req, f);
	return f != NULL;
}

bool
judge_authenticates(const struct judged *j)
{
	const struct route *r = j->route;

	if (r->api != API_FEDERATION)
		return false;
	/* Who shows credentials where none are needed is judged by them. */
	return !((r->open == OPEN_VERSION && j->service->version_open) ||
		   (r->open == OPEN_OPENID && j->service->openid_open)) ||
	       judge_carries_xmatrix(j);
}

bool
judge_guards(const struct judged *j)
{
	return j->route->api == API_CLIENT && j->route->rule != RULE_NONE &&
	       j->service->displayname_rule != RULE_OFF;
}

bool
judge_inspects(const struct judged *j)
{
	return judge_authenticates(j) || (judge_guards(j) && j->route->body == BODY_INSPECT);
}

uint64_t
judge_body_max(const struct judged *j, const struct proxy_conf *conf)
{
	if (!judge_inspects(j))
		return conf->client_body_max;
	return j->route->api == API_CLIENT ? conf->inspect_body_max : conf->federation_body_max;
}

/* --- verdicts --- */

enum err
judge_weigh(const struct judged *j, enum rule_mode mode, enum err err, unsigned series)
{
	if (err == OK || mode == RULE_ENFORCE)
		return err;
	metrics_inc(series);
	if (mode == RULE_LOG)
		log_info("%016llx would be refused: reason=%s (rule in mode log)",
		    (unsigned long long)j->id, err_name(err));
	return OK;
}

enum err
judge_origin(struct judged *j)
{
	enum err err = rule_authorization(j);

	if (err != OK)
		return err;
	if (j->destination_absent)
		metrics_inc(S_DESTINATION_ABSENT);
	return OK;
}

bool
judge_has_stray_body(const struct judged *j)
{
	return (j->req->framing == H1_CHUNKED || j->req->length > 0) &&
	       (j->req->method == H1_GET || j->req->method == H1_HEAD);
}

enum err
judge_membership(struct judged *j)
{
	enum err err = rule_membership(j);

	/* The signature of a request without content covers no body: such a body could say
	 * anything. */
	return err == OK && judge_has_stray_body(j) ? ERR_HTTP_BODY : err;
}

bool
judge_may_be_new(const struct judged *j, enum err membership)
{
	return (membership == ERR_ORIGIN_UNLISTED || membership == ERR_DESTINATION_UNLISTED ||
		   membership == ERR_DOMAIN_UNLISTED || membership == ERR_SELF_UNLISTED) &&
	       miss_can_help(MISS_DOMAIN, j->federation);
}

struct str
judge_stranger(const struct judged *j)
{
	struct str us = str_z(j->service->server_name),
		   them = j->outbound ? j->destination : j->origin;

	return rule_is_listed(j, them) ? us : them;
}

enum err
judge_understand(struct judged *j)
{
	enum err err;

	if (j->body.n == 0)
		return OK;
	err = canonical_form(j->arena, j->body, &j->content);
	if (err == OK && json_type(j->content) != JSON_OBJECT)
		err = ERR_JSON_SHAPE;
	return err;
}

static enum rule_mode
invite_mode(const struct judged *j)
{
	return j->outbound ? j->service->way_out.invites : j->service->invite_rule;
}

static unsigned
invite_series(const struct judged *j)
{
	return j->outbound ? S_RULE_LOGGED_OUT_INVITE : S_RULE_LOGGED_INVITE;
}

enum err
judge_invites(struct judged *j)
{
	enum err err;

	if (invite_mode(j) == RULE_OFF)
		return OK;
	switch (j->route->rule) {
	case RULE_INVITE:
	case RULE_INVITE_V1:
	case RULE_EXCHANGE:
		err = rule_invite(j);
		break;
	case RULE_TRANSACTION:
		err = rule_transaction_list(j);
		break;
	case RULE_UNKNOWN_FEDERATION:
		err = rule_unknown(j);
		break;
	default:
		err = OK;
		break;
	}
	return err;
}

enum err
judge_weigh_invites(struct judged *j, enum err err)
{
	return judge_weigh(j, invite_mode(j), err, invite_series(j));
}

enum err
judge_body(struct judged *j)
{
	enum err err = judge_understand(j);

	if (err != OK || j->route->api == API_CLIENT)
		return err;
	return rule_signature(j);
}

enum err
judge_facts(struct judged *j, enum err account)
{
	if (j->route->rule == RULE_TRANSACTION && j->n_invites > 0)
		return judge_weigh(j, invite_mode(j), rule_transaction(j), invite_series(j));
	if (j->account == NULL)
		return OK;
	if (account != OK && account != ERR_NOT_FOUND)
		return account == ERR_UPSTREAM_DOWN ? ERR_UPSTREAM_DOWN : ERR_LOOKUP;
	return judge_weigh(
	    j, j->service->displayname_rule, rule_displayname(j), S_RULE_LOGGED_DISPLAYNAME);
}
