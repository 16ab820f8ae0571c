/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/vzd_read.h"

#include "lib/base/jread.h"

const char *const vzd_place_names[] = {
	[VZD_NONE] = "none",
	[VZD_ORG] = "org",
	[VZD_PRACT] = "pract",
	[VZD_ORG_PRACT] = "orgPract",
};
#define PLACES (sizeof(vzd_place_names) / sizeof(vzd_place_names[0]))

struct texts {
	char *buf;
	size_t room;
	struct str *pem;
	size_t n, max;
	bool named; /* one of the two members was there */
};

static bool
read_text(struct jread *r, struct texts *t)
{
	struct str s;
	bool fits;

	if (t->n == t->max || !jread_string(r, t->buf, t->room, &s, &fits) || !fits)
		return false;
	if (s.p == t->buf) {
		t->buf += s.n;
		t->room -= s.n;
	}
	t->pem[t->n++] = s;
	return true;
}

static bool
read_texts(struct jread *r, struct texts *t)
{
	t->named = true;
	if (jread_peek(r) == '"')
		return read_text(r, t);
	if (!jread_enter(r, '['))
		return false;
	while (jread_more(r, ']'))
		if (!read_text(r, t))
			return false;
	return !r->bad;
}

static bool
read_member(struct jread *r, struct texts *t)
{
	char spelled[64];
	struct str name;
	bool fits;

	if (!jread_string(r, spelled, sizeof(spelled), &name, &fits) || !jread_colon(r))
		return false;
	if (fits && (str_eq(name, STR("passportSigningCertificates")) ||
			str_eq(name, STR("passportSigningCertificate"))))
		return read_texts(r, t);
	return jread_skip(r);
}

bool
vzd_read_certificates(struct str body, char *buf, struct str *pem, size_t max, size_t *n)
{
	struct texts t = { .buf = buf, .room = body.n, .pem = pem, .max = max };
	struct jread r;

	jread_init(&r, body);
	if (!jread_enter(&r, '{'))
		return false;
	while (jread_more(&r, '}'))
		if (!read_member(&r, &t))
			return false;
	*n = t.n;
	return jread_end(&r) && t.named;
}

bool
vzd_read_place(struct str body, enum vzd_place *out)
{
	struct str s = str_strip(body);

	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = str_of(s.p + 1, s.n - 2);
	for (size_t i = 0; i < PLACES; i++)
		if (str_eq(s, str_z(vzd_place_names[i]))) {
			*out = (enum vzd_place)i;
			return true;
		}
	return false;
}
