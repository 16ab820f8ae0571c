/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmatrix - a header is read parameter by parameter; the four known ones are kept, then checked.
 */
#include "lib/matrix/xmatrix.h"

#include <sodium.h>

#include "lib/base/base64.h"
#include "lib/base/jsontext.h"
#include "lib/matrix/name.h"

#define SCHEME STR("X-Matrix")
#define KEY_ID_MAX 255

enum { ORIGIN, DESTINATION, KEY, SIG, PARAMS };

static const char *const names[PARAMS] = { "origin", "destination", "key", "sig" };

static bool
token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Unquoted values: senders were allowed colons; a signature in base64 may hold the other two. */
static bool
value_char(char c)
{
	return token_char(c) || c == ':' || c == '/' || c == '=';
}

static struct str
take_while(struct str *rest, bool (*wanted)(char c))
{
	struct str taken = str_of(rest->p, 0);

	while (taken.n < rest->n && wanted(rest->p[taken.n]))
		taken.n++;
	*rest = str_from(*rest, taken.n);
	return taken;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
starts_with(struct str s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

static bool
quotable(char c) /* not a control character */
{
	return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

/* The text between quotes without backslashes; memory is only needed if there are some. */
static bool
unescape(struct arena *a, struct str raw, struct str *out)
{
	char *p;

	*out = raw;
	if (str_chr(raw, '\\') == NULL)
		return true;
	p = arena_bytes(a, raw.n);
	if (p == NULL)
		return false;
	out->p = p;
	for (size_t i = 0; i < raw.n; i++)
		*p++ = raw.p[i] == '\\' ? raw.p[++i] : raw.p[i];
	out->n = (size_t)(p - out->p);
	return true;
}

/* *rest is behind the opening quote.  A comma between quotes is refused: no valid value has one,
 * and homeservers that cut at every comma would see other parameters than those checked here. */
static enum err
take_quoted(struct arena *a, struct str *rest, struct str *value)
{
	const char *p = rest->p, *end = rest->p + rest->n, *start = p;

	while (p < end && *p != '"') {
		if (*p == '\\')
			p++;
		if (p == end || !quotable(*p) || *p == ',')
			return ERR_XMATRIX_SYNTAX;
		p++;
	}
	if (p == end)
		return ERR_XMATRIX_SYNTAX;
	*rest = str_of(p + 1, (size_t)(end - p - 1));
	return unescape(a, str_of(start, (size_t)(p - start)), value) ? OK : ERR_MEMORY;
}

static enum err
take_param(struct arena *a, struct str *rest, struct str *name, struct str *value)
{
	*name = take_while(rest, token_char);
	take_while(rest, blank);
	if (name->n == 0 || !starts_with(*rest, '='))
		return ERR_XMATRIX_SYNTAX;
	*rest = str_from(*rest, 1);
	take_while(rest, blank);
	if (starts_with(*rest, '"')) {
		*rest = str_from(*rest, 1);
		return take_quoted(a, rest, value);
	}
	*value = take_while(rest, value_char);
	return value->n > 0 ? OK : ERR_XMATRIX_SYNTAX;
}

/* Keeps a known parameter; false if it was given before. */
static bool
keep(struct str name, struct str value, struct str values[PARAMS])
{
	for (int i = 0; i < PARAMS; i++) {
		if (!str_eq_ci(name, str_z(names[i])))
			continue;
		if (values[i].p != NULL)
			return false;
		values[i] = value;
	}
	return true;
}

static enum err
parse_list(struct arena *a, struct str rest, struct str values[PARAMS])
{
	struct str name, value;
	enum err err;

	for (;;) {
		take_while(&rest, blank);
		if (rest.n == 0)
			return OK;
		if (!starts_with(rest, ',')) {
			err = take_param(a, &rest, &name, &value);
			if (err != OK)
				return err;
			if (!keep(name, value, values))
				return ERR_XMATRIX_SYNTAX;
			take_while(&rest, blank);
		}
		if (rest.n > 0 && !starts_with(rest, ','))
			return ERR_XMATRIX_SYNTAX;
		if (rest.n > 0)
			rest = str_from(rest, 1);
	}
}

/* algorithm:version, printable characters; which versions exist is for the origin's keys to say. */
static enum err
check_key_id(struct str id)
{
	struct str algorithm, version;

	if (id.n > KEY_ID_MAX || !str_cut(id, ':', &algorithm, &version) || algorithm.n == 0 ||
	    version.n == 0)
		return ERR_XMATRIX_SYNTAX;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= ' ' || id.p[i] >= 0x7f)
			return ERR_XMATRIX_SYNTAX;
	return str_eq(algorithm, STR("ed25519")) ? OK : ERR_XMATRIX_KEY;
}

/* What is behind the scheme's name, or an empty slice. */
static struct str
behind_scheme(struct str authorization)
{
	struct str s = str_trim(authorization);

	if (s.n <= SCHEME.n || !str_eq_ci(str_of(s.p, SCHEME.n), SCHEME) || !blank(s.p[SCHEME.n]))
		return STR_NONE;
	return str_from(s, SCHEME.n);
}

bool
xmatrix_is(struct str authorization)
{
	struct str s = str_trim(authorization);

	return str_eq_ci(s, SCHEME) || behind_scheme(s).n > 0;
}

enum err
xmatrix_parse(struct arena *a, struct str authorization, struct xmatrix *out)
{
	struct str values[PARAMS] = { STR_NONE };
	struct server_name server;
	enum err err;

	err = parse_list(a, behind_scheme(authorization), values);
	if (err != OK)
		return err;
	if (!name_parse(values[ORIGIN], &server))
		return ERR_XMATRIX_SYNTAX;
	if (values[DESTINATION].p != NULL && !name_parse(values[DESTINATION], &server))
		return ERR_XMATRIX_SYNTAX;
	err = check_key_id(values[KEY]);
	if (err != OK)
		return err;
	if (!base64_exact(values[SIG], out->sig, sizeof(out->sig)))
		return ERR_XMATRIX_SYNTAX;
	out->origin = values[ORIGIN];
	out->destination = values[DESTINATION];
	out->key_id = values[KEY];
	return OK;
}

struct str
xmatrix_signed_bytes(struct arena *a, struct str method, struct str uri, struct str origin,
    struct str destination, struct str content)
{
	const struct { /* in canonical order */
		struct str lead, value;
	} members[] = {
		{ STR("\"destination\":"), destination },
		{ STR(",\"method\":"), method },
		{ STR(",\"origin\":"), origin },
		{ STR(",\"uri\":"), uri },
	};
	struct str lead = STR("\"content\":");
	size_t n = 2 + (content.n > 0 ? lead.n + content.n + 1 : 0);
	char *start, *p;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		n += members[i].lead.n + jsontext_quoted_size(members[i].value);
	start = p = arena_bytes(a, n);
	if (p == NULL)
		return STR_NONE;
	*p++ = '{';
	if (content.n > 0) {
		p = str_put(p, lead);
		p = str_put(p, content);
		*p++ = ',';
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		p = str_put(p, members[i].lead);
		p = jsontext_quote(p, members[i].value);
	}
	*p++ = '}';
	return str_of(start, n);
}

bool
xmatrix_verify(const unsigned char sig[64], struct str bytes, const unsigned char public_key[32])
{
	return crypto_sign_ed25519_verify_detached(
		   sig, (const unsigned char *)bytes.p, bytes.n, public_key) == 0;
}
