/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes - rows, and a trie over their segments.
 *
 * A client row's "<v>" stands for each version prefix the homeserver answers; its rows are put into
 * the trie once per version.  Literals win over parameters; the deepest wildcard row on the way is
 * the fallback.
 */
#include "proxy/routes.h"

#include <stdlib.h>

/* Version sets of the client API as Synapse serves them (Matrix facts: Q and R). */
static const char *const versions[] = { "r0", "v1", "v3", "unstable", "api" };

#define FED API_FEDERATION
#define CLI API_CLIENT

/* clang-format off */
static const struct route table[] = {
	/* --- federation: requests with events to look at --- */
	{ "PUT", "/_matrix/federation/v1/send/{txn}", FED, BODY_INSPECT, RULE_TRANSACTION, .pace = PACE_SLOW },
	{ "PUT", "/_matrix/federation/v1/send/{txn}/", FED, BODY_INSPECT, RULE_TRANSACTION, .pace = PACE_SLOW },
	{ "PUT", "/_matrix/federation/v1/invite/{room}/{event}", FED, BODY_INSPECT, RULE_INVITE_V1 },
	{ "PUT", "/_matrix/federation/v2/invite/{room}/{event}", FED, BODY_INSPECT, RULE_INVITE },
	{ "PUT", "/_matrix/federation/v1/exchange_third_party_invite/{room}", FED, BODY_INSPECT, RULE_EXCHANGE },
	/* --- federation: the rest of the catalogue --- */
	{ "GET", "/_matrix/federation/v1/make_join/{room}/{user}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "PUT", "/_matrix/federation/v1/send_join/{room}/{event}", FED, BODY_INSPECT, RULE_EVENT, .pace = PACE_SLOW },
	{ "PUT", "/_matrix/federation/v2/send_join/{room}/{event}", FED, BODY_INSPECT, RULE_EVENT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/make_leave/{room}/{user}", FED, BODY_INSPECT },
	{ "PUT", "/_matrix/federation/v1/send_leave/{room}/{event}", FED, BODY_INSPECT, RULE_EVENT },
	{ "PUT", "/_matrix/federation/v2/send_leave/{room}/{event}", FED, BODY_INSPECT, RULE_EVENT },
	{ "GET", "/_matrix/federation/v1/make_knock/{room}/{user}", FED, BODY_INSPECT },
	{ "PUT", "/_matrix/federation/v1/send_knock/{room}/{event}", FED, BODY_INSPECT, RULE_EVENT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/event/{event}", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/state/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/state_ids/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/event_auth/{room}/{event}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/backfill/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "POST", "/_matrix/federation/v1/get_missing_events/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "GET", "/_matrix/federation/v1/timestamp_to_event/{room}", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/hierarchy/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "GET,POST", "/_matrix/federation/v1/publicRooms", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/query/directory", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/query/profile", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/query/{type}", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/user/devices/{user}", FED, BODY_INSPECT },
	{ "POST", "/_matrix/federation/v1/user/keys/query", FED, BODY_INSPECT },
	{ "POST", "/_matrix/federation/v1/user/keys/claim", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/v1/media/download/{media}", FED, BODY_INSPECT, .pace = PACE_MEDIA },
	{ "GET", "/_matrix/federation/v1/media/thumbnail/{media}", FED, BODY_INSPECT, .pace = PACE_MEDIA },
	{ "GET", "/_matrix/federation/unstable/rooms/{room}/complexity", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/unstable/org.matrix.msc2946/hierarchy/{room}", FED, BODY_INSPECT, .pace = PACE_SLOW },
	{ "POST", "/_matrix/federation/unstable/user/keys/claim", FED, BODY_INSPECT },
	{ "POST", "/_matrix/federation/unstable/org.matrix.msc3720/account_status", FED, BODY_INSPECT },
	{ "POST", "/_matrix/federation/unstable/org.matrix.msc3720/query/account_status", FED, BODY_INSPECT },
	{ "GET", "/_matrix/federation/unstable/org.matrix.msc4370/extremities/{room}", FED, BODY_INSPECT },
	{ "POST", "/_matrix/policy/v1/sign", FED, BODY_INSPECT },
	{ "POST", "/_matrix/policy/unstable/org.matrix.msc4284/sign", FED, BODY_INSPECT },
	{ "*", "/_matrix/policy/**", FED, BODY_INSPECT },
	/* --- federation without authentication (T-10) --- */
	{ "GET", "/_matrix/federation/v1/version", FED, BODY_INSPECT, .open = OPEN_VERSION },
	{ "GET", "/_matrix/federation/v1/openid/userinfo", FED, BODY_INSPECT, .open = OPEN_OPENID },
	{ "*", "/_matrix/federation/**", FED, BODY_INSPECT, RULE_UNKNOWN_FEDERATION },
	{ "GET,OPTIONS", "/_matrix/key/v2/server", API_KEYS, BODY_STREAM },
	{ "GET,OPTIONS", "/_matrix/key/v2/server/{key}", API_KEYS, BODY_STREAM },
	{ "POST,OPTIONS", "/_matrix/key/v2/query", API_KEYS, BODY_STREAM, .pace = PACE_SLOW },
	{ "GET,OPTIONS", "/_matrix/key/v2/query/{server}", API_KEYS, BODY_STREAM, .pace = PACE_SLOW },
	{ "GET,OPTIONS", "/_matrix/key/v2/query/{server}/{key}", API_KEYS, BODY_STREAM, .pace = PACE_SLOW },
	/* --- client side: what touches display names (FD-5.2.1.2-19/-20, O-10) --- */
	{ "*", "/_matrix/client/<v>/profile/{user}", CLI, BODY_STREAM, RULE_PROFILE_NAME },
	{ "*", "/_matrix/client/<v>/profile/{user}/displayname", CLI, BODY_STREAM, RULE_PROFILE_NAME },
	{ "*", "/_matrix/client/<v>/profile/{user}/displayname/", CLI, BODY_STREAM, RULE_PROFILE_NAME },
	{ "*", "/_matrix/client/<v>/profile/{user}/avatar_url", CLI, BODY_STREAM },
	{ "*", "/_matrix/client/<v>/profile/{user}/{key}", CLI, BODY_STREAM, RULE_PROFILE_KEY },
	{ "*", "/_matrix/client/<v>/profile/{user}/{key}/", CLI, BODY_STREAM, RULE_PROFILE_KEY },
	{ "*", "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user}", CLI, BODY_STREAM, RULE_PROFILE_NAME },
	{ "*", "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user}/{key}", CLI, BODY_STREAM, RULE_PROFILE_KEY },
	{ "*", "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user}/{key}/", CLI, BODY_STREAM, RULE_PROFILE_KEY },
	{ "PUT,POST", "/_matrix/client/<v>/rooms/{room}/state/{type}/{key}", CLI, BODY_INSPECT, RULE_MEMBER_STATE },
	{ "PUT,POST", "/_matrix/client/<v>/rooms/{room}/state/{type}/{key}/", CLI, BODY_INSPECT, RULE_MEMBER_STATE },
	{ "POST,PUT", "/_matrix/client/<v>/join/{room}", CLI, BODY_INSPECT, RULE_JOIN },
	{ "POST,PUT", "/_matrix/client/<v>/join/{room}/{txn}", CLI, BODY_INSPECT, RULE_JOIN },
	{ "POST,PUT", "/_matrix/client/<v>/createRoom", CLI, BODY_INSPECT, RULE_CREATE_ROOM },
	{ "POST,PUT", "/_matrix/client/<v>/createRoom/{txn}", CLI, BODY_INSPECT, RULE_CREATE_ROOM },
	/* --- client side: long ones, and labels for the frequent ones --- */
	{ "*", "/_matrix/client/versions", CLI },
	{ "*", "/_matrix/client/<v>/sync", CLI, .pace = PACE_POLL },
	{ "*", "/_matrix/client/<v>/events", CLI, .pace = PACE_POLL },
	{ "*", "/_matrix/client/<v>/initialSync", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", CLI, .pace = PACE_POLL },
	{ "*", "/_matrix/client/<v>/rooms/{room}/initialSync", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/<v>/rooms/{room}/join", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/<v>/rooms/{room}/invite", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/<v>/rooms/{room}/leave", CLI },
	{ "*", "/_matrix/client/<v>/rooms/{room}/messages", CLI },
	{ "*", "/_matrix/client/<v>/rooms/{room}/members", CLI },
	{ "*", "/_matrix/client/<v>/rooms/{room}/send/{type}/{txn}", CLI },
	{ "*", "/_matrix/client/<v>/rooms/{room}/receipt/{type}/{event}", CLI },
	{ "*", "/_matrix/client/<v>/rooms/{room}/typing/{user}", CLI },
	{ "*", "/_matrix/client/<v>/login", CLI, .cost = COST_LOGIN },
	{ "*", "/_matrix/client/<v>/logout", CLI, BODY_STREAM, RULE_SESSION_END },
	{ "*", "/_matrix/client/<v>/logout/all", CLI, BODY_STREAM, RULE_SESSION_END },
	{ "*", "/_matrix/client/<v>/account/password", CLI, BODY_STREAM, RULE_SESSION_END, .cost = COST_PASSWORD },
	{ "*", "/_matrix/client/<v>/account/password/{medium}/requestToken", CLI, .cost = COST_PASSWORD },
	{ "*", "/_matrix/client/<v>/account/3pid/{medium}/requestToken", CLI, .cost = COST_PASSWORD },
	{ "*", "/_matrix/client/<v>/account/deactivate", CLI, BODY_STREAM, RULE_SESSION_END },
	{ "*", "/_matrix/client/<v>/delete_devices", CLI, BODY_STREAM, RULE_SESSION_END },
	{ "DELETE", "/_matrix/client/<v>/devices/{device}", CLI, BODY_STREAM, RULE_SESSION_END },
	{ "*", "/_matrix/client/<v>/refresh", CLI },
	{ "*", "/_matrix/client/<v>/register", CLI, .cost = COST_REGISTER },
	{ "*", "/_matrix/client/<v>/register/available", CLI, .cost = COST_REGISTER },
	{ "*", "/_matrix/client/<v>/register/{medium}/requestToken", CLI, .cost = COST_REGISTER },
	{ "*", "/_matrix/client/<v>/register/m.login.registration_token/validity", CLI, .cost = COST_REGISTER },
	{ "*", "/_matrix/client/<v>/account/whoami", CLI },
	{ "*", "/_matrix/client/<v>/capabilities", CLI },
	{ "*", "/_matrix/client/<v>/keys/upload", CLI },
	{ "*", "/_matrix/client/<v>/keys/query", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/<v>/keys/claim", CLI, .pace = PACE_SLOW },
	{ "*", "/_matrix/client/<v>/sendToDevice/{type}/{txn}", CLI },
	{ "*", "/_matrix/client/<v>/user/{user}/openid/request_token", CLI },
	{ "*", "/_matrix/client/<v>/user_directory/search", CLI },
	{ "*", "/_matrix/client/v1/media/**", CLI, .pace = PACE_MEDIA },
	{ "*", "/_matrix/client/**", CLI, BODY_STREAM, RULE_UNKNOWN_CLIENT },
	{ "GET", "/_matrix/media/<v>/download/{server}/{media}", CLI, .pace = PACE_MEDIA, .out = OUT_MEDIA },
	{ "GET", "/_matrix/media/<v>/download/{server}/{media}/{name}", CLI, .pace = PACE_MEDIA, .out = OUT_MEDIA },
	{ "GET", "/_matrix/media/<v>/thumbnail/{server}/{media}", CLI, .pace = PACE_MEDIA, .out = OUT_MEDIA },
	{ "*", "/_matrix/media/**", CLI, .pace = PACE_MEDIA },
	/* --- other prefixes a homeserver serves to clients --- */
	{ "*", "/_synapse/client/**", CLI },
	{ "GET,HEAD,OPTIONS", "/.well-known/matrix/client", CLI, .document = DOCUMENT_CLIENT },
	{ "GET,HEAD,OPTIONS", "/.well-known/matrix/server", CLI, .document = DOCUMENT_SERVER, .out = OUT_WELL_KNOWN },
	{ "GET,HEAD,OPTIONS", "/.well-known/matrix/support", CLI, .document = DOCUMENT_SUPPORT },
	{ "GET,HEAD,OPTIONS", "/.well-known/matrix/policy_server", CLI },
	{ "*", "/_matrix/static/**", CLI },
	{ "*", "/_matrix/consent", CLI },
	/* --- administrative --- */
	{ "*", "/_synapse/admin/**", API_ADMIN },
	{ "*", "/_synapse/**", API_INTERNAL },
};
/* clang-format on */

const struct route *
routes_table(size_t *n)
{
	*n = sizeof(table) / sizeof(table[0]);
	return table;
}

/* --- the trie --- */

struct node {
	struct str literal;    /* what leads here from the parent */
	struct node *children; /* literal ones, a list */
	struct node *sibling;
	struct node *param;          /* "{x}" */
	const struct route *wild;    /* "**": everything below */
	const struct route *rows[3]; /* rows that end here, by method */
	unsigned n_rows;
};

static struct node *root;

static struct node *
child(struct node *n, struct str literal, bool add)
{
	struct node *c;

	for (c = n->children; c != NULL; c = c->sibling)
		if (str_eq(c->literal, literal))
			return c;
	if (!add || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->literal = literal;
	c->sibling = n->children;
	n->children = c;
	return c;
}

static bool
insert(const struct route *r, struct node *n, struct str path)
{
	struct str seg;

	while (path.n > 0) {
		str_cut(str_from(path, 1), '/', &seg, &path);
		if (path.p != NULL) /* give the separator back: a path always begins with one */
			path = str_of(path.p - 1, path.n + 1);
		if (str_eq(seg, STR("**"))) {
			n->wild = r;
			return true;
		}
		if (str_eq(seg, STR("<v>"))) {
			for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
				struct node *v = child(n, str_z(versions[i]), true);

				/* The oldest prefix has two segments: /api/v1 */
				if (v != NULL && str_eq(v->literal, STR("api")))
					v = child(v, STR("v1"), true);
				if (v == NULL || !insert(r, v, path))
					return false;
			}
			return true;
		}
		if (seg.n > 0 && seg.p[0] == '{') {
			if (n->param == NULL)
				n->param = calloc(1, sizeof(*n->param));
			n = n->param;
		} else {
			n = child(n, seg, true);
		}
		if (n == NULL)
			return false;
	}
	if (n->n_rows == sizeof(n->rows) / sizeof(n->rows[0]))
		return false;
	n->rows[n->n_rows++] = r;
	return true;
}

static void
node_free(struct node *n)
{
	struct node *c, *next;

	if (n == NULL)
		return;
	for (c = n->children; c != NULL; c = next) {
		next = c->sibling;
		node_free(c);
	}
	node_free(n->param);
	free(n);
}

bool
routes_init(void)
{
	root = calloc(1, sizeof(*root));
	for (size_t i = 0; root != NULL && i < sizeof(table) / sizeof(table[0]); i++)
		if (!insert(&table[i], root, str_z(table[i].path)))
			return false;
	return root != NULL;
}

void
routes_fini(void)
{
	node_free(root);
	root = NULL;
}

/* --- matching --- */

static bool
has_method(const struct route *r, struct str method)
{
	struct str rest = str_z(r->methods), one;

	if (str_eq(rest, STR("*")))
		return true;
	do {
		str_cut(rest, ',', &one, &rest);
		/* HEAD is GET without the body, wherever GET is known. */
		if (str_eq(one, method) || (str_eq(one, STR("GET")) && str_eq(method, STR("HEAD"))))
			return true;
	} while (rest.n > 0);
	return false;
}

struct match {
	const struct segments *s;
	const struct node *end;   /* a node with rows whose path fits whole */
	const struct route *wild; /* the deepest wildcard passed */
	bool escaped;             /* a literal was written with escapes */
};

static void
walk(struct match *m, const struct node *n, size_t i)
{
	const struct node *c;

	if (n->wild != NULL && i < m->s->n)
		m->wild = n->wild;
	if (i == m->s->n) {
		if (n->n_rows > 0)
			m->end = n;
		return;
	}
	for (c = n->children; c != NULL && m->end == NULL; c = c->sibling) {
		if (!str_eq(c->literal, m->s->text[i]))
			continue;
		if (m->s->raw[i].n != m->s->text[i].n)
			m->escaped = true;
		walk(m, c, i + 1);
	}
	if (n->param != NULL && m->end == NULL)
		walk(m, n->param, i + 1);
}

enum err
route_find(const struct segments *s, struct str method, const struct route **out)
{
	struct match m = { .s = s };

	*out = NULL;
	walk(&m, root, 0);
	if (m.escaped)
		return ERR_PATH;
	if (m.end != NULL) {
		for (unsigned i = 0; i < m.end->n_rows; i++)
			if (has_method(m.end->rows[i], method)) {
				*out = m.end->rows[i];
				return OK;
			}
		/* The client side knows its methods itself; a federation path with another method
		 * is no endpoint. */
		if (m.end->rows[0]->api != API_CLIENT || m.wild == NULL) {
			*out = m.end->rows[0];
			return ERR_METHOD;
		}
	}
	if (m.wild == NULL)
		return ERR_UNRECOGNIZED;
	*out = m.wild;
	return OK;
}

/* --- splitting --- */

static bool
decode(struct arena *a, struct str raw, struct str *out)
{
	char *p;
	size_t n = 0;

	*out = raw;
	if (str_chr(raw, '%') == NULL)
		return str_chr(raw, '\\') == NULL;
	p = arena_bytes(a, raw.n);
	if (p == NULL)
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		int hi, lo;

		if (raw.p[i] != '%') {
			p[n++] = raw.p[i];
			continue;
		}
		if (i + 2 >= raw.n || (hi = str_hex(raw.p[i + 1])) < 0 ||
		    (lo = str_hex(raw.p[i + 2])) < 0)
			return false;
		p[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	*out = str_of(p, n);
	return memchr(p, '\0', n) == NULL && memchr(p, '\\', n) == NULL;
}

enum err
route_split(struct arena *a, struct str target, struct segments *out)
{
	struct str path, rest;

	out->n = 0;
	if (target.n == 0 || target.p[0] != '/')
		return ERR_UNRECOGNIZED;
	if (!str_cut(target, '?', &path, &out->query))
		out->query = STR_NONE;
	rest = str_from(path, 1);
	for (bool more = true; more;) {
		struct str *raw = &out->raw[out->n], *text = &out->text[out->n];

		if (out->n == ROUTE_SEGMENTS_MAX)
			return ERR_PATH;
		more = str_cut(rest, '/', raw, &rest);
		if ((raw->n == 0 && more) || !decode(a, *raw, text) || str_eq(*text, STR(".")) ||
		    str_eq(*text, STR("..")))
			return ERR_PATH;
		out->n++;
	}
	return OK;
}
