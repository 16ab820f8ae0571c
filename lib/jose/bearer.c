/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/bearer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/jread.h"

#define LIFETIME_MAX_S (7 * 24 * 3600)

struct answer {
	struct str token, type, expires;
};

/* A string, or a number as text; anything else is none. */
static bool
read_scalar(struct jread *r, char *buf, size_t cap, bool number, struct str *out)
{
	bool fits;

	*out = STR_NONE;
	if (jread_peek(r) == '"')
		return jread_string(r, buf, cap, out, &fits) && fits;
	if (number && (jread_peek(r) == '-' || (jread_peek(r) >= '0' && jread_peek(r) <= '9')))
		return jread_number(r, out);
	return jread_skip(r);
}

static bool
read_member(struct jread *r, char *buf, size_t cap, size_t *used, struct answer *to)
{
	char name_buf[32];
	struct str name, *field = NULL;
	bool fits;

	if (!jread_string(r, name_buf, sizeof(name_buf), &name, &fits) || !jread_colon(r))
		return false;
	if (fits && (str_eq(name, STR("access_token")) || str_eq(name, STR("jwt"))))
		field = &to->token;
	else if (fits && str_eq(name, STR("token_type")))
		field = &to->type;
	else if (fits && str_eq(name, STR("expires_in")))
		field = &to->expires;
	if (field == NULL || field->n > 0)
		return jread_skip(r);
	if (!read_scalar(r, buf + *used, cap - *used, field == &to->expires, field))
		return false;
	if (field->p == buf + *used)
		*used += field->n;
	return true;
}

static bool
read_answer(struct str json, char *buf, struct answer *to)
{
	struct jread r;
	size_t used = 0;

	jread_init(&r, json);
	if (!jread_enter(&r, '{'))
		return false;
	while (jread_more(&r, '}'))
		if (!read_member(&r, buf, json.n, &used, to))
			return false;
	return jread_end(&r);
}

/* What may stand in an Authorization field. */
static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= BEARER_MAX;
}

static clock_ms
lifetime(struct str seconds, clock_ms margin, clock_ms preset)
{
	struct str whole, rest;
	uint64_t s;
	clock_ms ms = preset;

	str_cut(seconds, '.', &whole, &rest);
	if (str_to_u64(whole, UINT32_MAX, &s))
		ms = (s < LIFETIME_MAX_S ? s : LIFETIME_MAX_S) * 1000;
	return ms > 2 * margin ? ms - margin : ms / 2;
}

static enum err
keep(struct bearer *t, const struct answer *a, clock_ms until)
{
	char *text;

	if (!is_token(a->token) || (a->type.n > 0 && !str_eq_ci(a->type, STR("bearer"))))
		return ERR_HTTP_ANSWER;
	text = malloc(a->token.n + 1);
	if (text == NULL)
		return ERR_MEMORY;
	*str_put(text, a->token) = '\0';
	bearer_drop(t);
	t->text = text;
	t->until = until;
	return OK;
}

enum err
bearer_read(struct bearer *t, struct str json, clock_ms now, clock_ms margin, clock_ms preset)
{
	char *buf = malloc(json.n + 1); /* for what is spelled with escapes */
	struct answer a = { 0 };
	enum err err = ERR_HTTP_ANSWER;

	if (buf == NULL)
		return ERR_MEMORY;
	if (read_answer(json, buf, &a))
		err = keep(t, &a, now + lifetime(a.expires, margin, preset));
	OPENSSL_cleanse(buf, json.n + 1);
	free(buf);
	return err;
}

void
bearer_drop(struct bearer *t)
{
	bearer_wipe(t->text);
	*t = (struct bearer){ 0 };
}

bool
bearer_good(const struct bearer *t, clock_ms now)
{
	return t->text != NULL && now < t->until;
}

/* --- using it --- */

char *
bearer_field(const char *text)
{
	static const char name[] = "Authorization: Bearer ";
	size_t room = sizeof(name) + strlen(text);
	char *field = malloc(room);

	if (field != NULL)
		snprintf(field, room, "%s%s", name, text);
	return field;
}

void
bearer_wipe(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}
