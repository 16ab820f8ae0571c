/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/jwsform.h"

#include "lib/base/jread.h"

struct reading {
	struct jread r;
	struct jwsform *out;
	struct str payload;
	bool has_payload, has_signatures;
};

/* base64url needs no escapes, so the text must be in one piece. */
static bool
read_plain(struct jread *r, bool *seen, struct str *out)
{
	char none[1];
	bool fits;

	if (*seen || !jread_string(r, none, 0, out, &fits) || !fits)
		return false;
	*seen = true;
	return true;
}

static bool
read_name(struct jread *r, char room[32], struct str *name)
{
	bool fits;

	if (!jread_string(r, room, 32, name, &fits) || !jread_colon(r))
		return false;
	if (!fits)
		*name = STR_NONE;
	return true;
}

/* Whether the unprotected header keeps to what may stand there. */
static bool
read_unprotected(struct jread *r, bool *names_alg)
{
	char room[32];
	struct str name;

	if (!jread_enter(r, '{'))
		return false;
	while (jread_more(r, '}')) {
		if (!read_name(r, room, &name) || !jread_skip(r))
			return false;
		*names_alg |= str_eq(name, STR("alg"));
	}
	return !r->bad;
}

static bool
read_signature(struct reading *g)
{
	bool head = false, sig = false, names_alg = false;
	struct jws_parts parts = { 0 };
	char room[32];
	struct str name;

	if (!jread_enter(&g->r, '{'))
		return false;
	while (jread_more(&g->r, '}')) {
		bool ok = read_name(&g->r, room, &name);

		if (ok && str_eq(name, STR("protected")))
			ok = read_plain(&g->r, &head, &parts.head);
		else if (ok && str_eq(name, STR("signature")))
			ok = read_plain(&g->r, &sig, &parts.sig);
		else if (ok && str_eq(name, STR("header")))
			ok = read_unprotected(&g->r, &names_alg);
		else
			ok = ok && jread_skip(&g->r);
		if (!ok)
			return false;
	}
	if (head && sig && !names_alg && g->out->n < JWSFORM_MAX)
		g->out->v[g->out->n++] = parts;
	return !g->r.bad;
}

static bool
read_signatures(struct reading *g)
{
	if (g->has_signatures || !jread_enter(&g->r, '['))
		return false;
	g->has_signatures = true;
	while (jread_more(&g->r, ']'))
		if (!read_signature(g))
			return false;
	return !g->r.bad;
}

static bool
read_json(struct reading *g)
{
	char room[32];
	struct str name;

	if (!jread_enter(&g->r, '{'))
		return false;
	while (jread_more(&g->r, '}')) {
		bool ok = read_name(&g->r, room, &name);

		if (ok && str_eq(name, STR("payload")))
			ok = read_plain(&g->r, &g->has_payload, &g->payload);
		else if (ok && str_eq(name, STR("signatures")))
			ok = read_signatures(g);
		else
			ok = ok && jread_skip(&g->r);
		if (!ok)
			return false;
	}
	return !g->r.bad && jread_end(&g->r) && g->has_payload && g->has_signatures;
}

enum err
jwsform_split(struct str text, struct jwsform *out)
{
	struct reading g = { .out = out };

	out->n = 0;
	jread_init(&g.r, text);
	if (jread_peek(&g.r) != '{') {
		out->n = 1;
		return jws_split(text, &out->v[0]) ? OK : ERR_JWS_SYNTAX;
	}
	if (!read_json(&g))
		return ERR_JWS_SYNTAX;
	for (size_t i = 0; i < out->n; i++)
		out->v[i].body = g.payload;
	return out->n > 0 ? OK : ERR_JWS_ALG;
}
