/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unknown - paths we do not know, but a lenient homeserver could take for one whose rule we
 * enforce.
 *
 * Version prefixes, trailing slashes, letter case, path parameters, escaped slashes: what the
 * routes do not match is compared loosely here, so that a rule cannot be avoided by spelling.
 * Outbound the answer is no 404: a homeserver takes that for one of the other server, and tries an
 * older form.  It is the same with what goes to allowed destinations beside the federation.
 */
#include "proxy/rules/rules.h"

#define UNESCAPE_MAX 8 /* escapes within escapes */

bool
rule_resembles(struct str segment, struct str name)
{
	struct str part, bare, parameters;

	while (segment.n > 0) {
		str_cut(segment, '/', &part, &segment);
		str_cut(part, ';', &bare, &parameters);
		if (str_eq_ci(str_trim(bare), name))
			return true;
	}
	return false;
}

/* --- of an allowed destination beside the federation --- */

static bool
is_among(struct str segment, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rule_resembles(segment, names[i]))
			return true;
	return false;
}

/* One pass over all escapes, in place; false: there was none. */
static bool
unescape(char *p, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++, kept++) {
		int hi = p[i] == '%' && i + 2 < *n ? str_hex(p[i + 1]) : -1;
		int lo = hi >= 0 ? str_hex(p[i + 2]) : -1;

		p[kept] = lo >= 0 ? (char)(hi << 4 | lo) : p[i];
		i += lo >= 0 ? 2 : 0;
	}
	if (kept == *n)
		return false;
	*n = kept;
	return true;
}

enum err
rule_guest(const struct judged *j)
{
	static const struct str prefix = { "_matrix", 7 };
	static const struct str apis[] = { { "federation", 10 }, { "key", 3 }, { "policy", 6 } };
	struct str path, query, segment;
	bool matrix = false;
	char *p;

	str_cut(j->req->target, '?', &path, &query);
	p = arena_bytes(j->arena, path.n + 1);
	if (p == NULL)
		return ERR_MEMORY;
	str_put(p, path);
	for (int i = 0; i < UNESCAPE_MAX && unescape(p, &path.n); i++)
		;
	for (size_t i = 0; i < path.n; i++)
		if (p[i] == '\\')
			p[i] = '/';
	for (path.p = p; path.n > 0;) {
		str_cut(path, '/', &segment, &path);
		if (matrix && is_among(segment, apis, sizeof(apis) / sizeof(apis[0])))
			return ERR_OUT_TARGET_REFUSED;
		matrix = matrix || is_among(segment, &prefix, 1);
	}
	return OK;
}

/* --- of the federation --- */

static enum err
refuse_any(const struct judged *j, const struct str *names, size_t n)
{
	for (size_t i = 0; i < j->path->n; i++)
		if (is_among(j->path->text[i], names, n))
			return j->outbound ? ERR_OUT_TARGET_REFUSED : ERR_UNRECOGNIZED;
	return OK;
}

enum err
rule_unknown(const struct judged *j)
{
	static const struct str names[] = { { "invite", 6 }, { "exchange_third_party_invite", 27 },
		{ "send", 4 } };

	return refuse_any(j, names, sizeof(names) / sizeof(names[0]));
}

enum err
rule_unknown_events(const struct judged *j)
{
	static const struct str names[] = { { "send_join", 9 }, { "send_leave", 10 },
		{ "send_knock", 10 } };
	enum err err = rule_unknown(j);

	return err == OK ? refuse_any(j, names, sizeof(names) / sizeof(names[0])) : err;
}
