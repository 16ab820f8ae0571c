/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_fields - the field section of a message: names, values, and what Connection takes away.
 *
 * Fields are gathered on the stack and copied to the arena once their number is known.
 */
#include "lib/http/h1_int.h"

#define OPTIONS_MAX 64 /* names in Connection: each is compared with every field */

#define V H1_C_VALUE
#define G (V | H1_C_TARGET)
#define T (G | H1_C_TOKEN)
#define H (T | H1_C_HOST)
const uint8_t h1_classes[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T,
	['"'] = G,
	['#'] = V | H1_C_TOKEN,
	['$' ... '\''] = T,
	['(' ... ')'] = G,
	['*' ... '+'] = T,
	[','] = G,
	['-' ... '.'] = H,
	['/'] = G,
	['0' ... '9'] = H,
	[':' ... '@'] = G,
	['A' ... 'Z'] = H,
	['[' ... ']'] = G,
	['^'] = T,
	['_'] = H,
	['`'] = T,
	['a' ... 'z'] = H,
	['{'] = G,
	['|'] = T,
	['}'] = G,
	['~'] = H,
	[0x80 ... 0xff] = V,
};
#undef V
#undef G
#undef T
#undef H

/* Known names by their length; a row of the table ends with an empty place. */
static const struct h1_name names[][5] = {
	[2] = { { "te", H1_F_TE, true } },
	[4] = { { "host", H1_F_HOST }, { "date", H1_F_DATE }, { "etag", H1_F_ETAG } },
	[6] = { { "accept", H1_F_ACCEPT }, { "cookie", H1_F_COOKIE }, { "origin", H1_F_ORIGIN },
	    { "server", H1_F_SERVER }, { "expect", H1_F_EXPECT, true } },
	[7] = { { "referer", H1_F_REFERER }, { "trailer", H1_F_TRAILER, true },
	    { "upgrade", H1_F_UPGRADE, true } },
	[9] = { { "forwarded", H1_F_FORWARDED }, { "x-real-ip", H1_F_X_REAL_IP } },
	[10] = { { "user-agent", H1_F_USER_AGENT }, { "connection", H1_F_CONNECTION, true },
	    { "keep-alive", H1_F_KEEP_ALIVE, true } },
	[11] = { { "retry-after", H1_F_RETRY_AFTER } },
	[12] = { { "content-type", H1_F_CONTENT_TYPE }, { "x-request-id", H1_F_X_REQUEST_ID } },
	[13] = { { "authorization", H1_F_AUTHORIZATION }, { "cache-control", H1_F_CACHE_CONTROL },
	    { "x-http-method", H1_F_METHOD_OVERRIDE } },
	[14] = { { "content-length", H1_F_CONTENT_LENGTH } },
	[15] = { { "accept-encoding", H1_F_ACCEPT_ENCODING } },
	[16] = { { "proxy-connection", H1_F_PROXY_CONNECTION, true } },
	[17] = { { "transfer-encoding", H1_F_TRANSFER_ENCODING, true },
	    { "x-method-override", H1_F_METHOD_OVERRIDE } },
	[18] = { { "proxy-authenticate", H1_F_PROXY_AUTHENTICATE, true } },
	[19] = { { "proxy-authorization", H1_F_PROXY_AUTHORIZATION, true } },
	[22] = { { "x-http-method-override", H1_F_METHOD_OVERRIDE } },
	[25] = { { "strict-transport-security", H1_F_TRANSPORT_SECURITY } },
};
#define NAMES_PER_ROW (sizeof(names[0]) / sizeof(names[0][0]))

/* Whole families of names. */
static const struct h1_name families[] = {
	{ "x-forwarded-", H1_F_X_FORWARDED },
	{ "access-control-", H1_F_ACCESS_CONTROL },
};

/* Among token characters only letters differ from a lower-case letter or '-' in nothing but this
 * bit. */
static bool
same(const char *p, const char *lower, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] | 0x20) != lower[i])
			return false;
	return true;
}

const struct h1_name *
h1_name_find(struct str name)
{
	char first = (char)(name.p[0] | 0x20);

	if (name.n < sizeof(names) / sizeof(names[0]))
		for (size_t i = 0; i < NAMES_PER_ROW && names[name.n][i].lower != NULL; i++)
			if (names[name.n][i].lower[0] == first &&
			    same(name.p, names[name.n][i].lower, name.n))
				return &names[name.n][i];
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].lower[0] == first && name.n >= strlen(families[i].lower) &&
		    same(name.p, families[i].lower, strlen(families[i].lower)))
			return &families[i];
	return NULL;
}

/* The first byte that no value may have.  Eight bytes are looked at together while none of them is
 * a control character; the exact place, and blanks, are left to the table. */
static const char *
value_end(const char *p, const char *end)
{
	const uint64_t ones = UINT64_MAX / 255, highs = ones * 0x80;
	uint64_t w, del;

	while (end - p >= 8) {
		memcpy(&w, p, 8);
		del = w ^ (ones * 0x7f);
		if ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & highs)
			break;
		p += 8;
	}
	while (h1_is(*p, H1_C_VALUE))
		p++;
	return p;
}

static void
note(struct h1_head *out, struct h1_seen *seen, const struct h1_field *f)
{
	switch (f->id) {
	case H1_F_HOST:
		seen->hosts++;
		out->host = f->value;
		break;
	case H1_F_CONTENT_LENGTH:
		seen->lengths++;
		if (!str_to_u64(f->value, UINT64_MAX, &out->length))
			seen->length_bad = true;
		break;
	case H1_F_TRANSFER_ENCODING:
		seen->codings++;
		if (!str_eq_ci(f->value, STR("chunked")))
			seen->coding_bad = true;
		break;
	case H1_F_EXPECT:
		seen->expect = true;
		if (!str_eq_ci(f->value, STR("100-continue")))
			seen->expect_bad = true;
		break;
	default:
		break;
	}
}

/* One name in Connection: the fields of that name are meant for us and go no further. */
static enum err
take_away(struct str name, struct h1_field *fields, size_t n, struct h1_seen *seen)
{
	const struct h1_name *known = h1_name_find(name);

	if (str_eq_ci(name, STR("close"))) {
		seen->close = true;
		return OK;
	}
	switch (known != NULL ? known->id : H1_F_OTHER) {
	case H1_F_KEEP_ALIVE:
		seen->keep = true;
		return OK;
	case H1_F_HOST:
	case H1_F_CONTENT_LENGTH:
	case H1_F_TRANSFER_ENCODING:
	case H1_F_AUTHORIZATION:
		return ERR_HTTP_CONNECTION;
	default:
		break;
	}
	for (size_t i = 0; i < n; i++)
		if (str_eq_ci(fields[i].name, name))
			fields[i].hop = true;
	return OK;
}

static enum err
connection(
    struct str list, struct h1_field *fields, size_t n, struct h1_seen *seen, size_t *options)
{
	struct str name;
	enum err err;

	while (list.n > 0) {
		str_cut(list, ',', &name, &list);
		name = str_trim(name);
		if (name.n == 0)
			continue;
		for (size_t i = 0; i < name.n; i++)
			if (!h1_is(name.p[i], H1_C_TOKEN))
				return ERR_HTTP_FIELD;
		if (++*options > OPTIONS_MAX)
			return ERR_HTTP_HEAD_SIZE;
		err = take_away(name, fields, n, seen);
		if (err != OK)
			return err;
	}
	return OK;
}

/* One line; returns what follows it, or NULL. */
static const char *
field_line(const char *p, const char *end, struct h1_field *f)
{
	const char *start = p;
	const struct h1_name *known;

	while (h1_is(*p, H1_C_TOKEN))
		p++;
	if (p == start || *p != ':')
		return NULL;
	f->name = str_of(start, (size_t)(p - start));
	known = h1_name_find(f->name);
	f->id = known != NULL ? known->id : H1_F_OTHER;
	f->hop = known != NULL && known->hop;

	do
		p++;
	while (h1_is_blank(*p));
	start = p;
	p = value_end(p, end);
	if (p[0] != '\r' || p[1] != '\n')
		return NULL;
	end = p;
	while (end > start && h1_is_blank(end[-1]))
		end--;
	f->value = str_of(start, (size_t)(end - start));
	return p + 2;
}

enum err
h1_fields_parse(struct arena *a, const char *p, const char *end, const struct h1_limits *lim,
    struct h1_head *out, struct h1_seen *seen)
{
	struct h1_field fields[H1_FIELDS_CEILING];
	size_t n = 0, options = 0, connections = 0;
	enum err err;

	while (*p != '\r') {
		if (n == lim->fields_max || n == H1_FIELDS_CEILING)
			return ERR_HTTP_HEAD_SIZE;
		p = field_line(p, end, &fields[n]);
		if (p == NULL)
			return ERR_HTTP_FIELD;
		note(out, seen, &fields[n]);
		connections += fields[n].id == H1_F_CONNECTION;
		n++;
	}
	if (p + 2 != end) /* a bare CR, or bytes behind the empty line */
		return ERR_HTTP_FIELD;
	for (size_t i = 0; connections > 0 && i < n; i++) {
		if (fields[i].id != H1_F_CONNECTION)
			continue;
		connections--;
		err = connection(fields[i].value, fields, n, seen, &options);
		if (err != OK)
			return err;
	}
	if (n == 0)
		return OK;
	out->fields = arena_alloc(a, (n + 1) * sizeof(*fields));
	if (out->fields == NULL)
		return ERR_MEMORY;
	out->room = 1;
	memcpy(out->fields, fields, n * sizeof(*fields));
	out->n_fields = n;
	return OK;
}

static const struct h1_field *
find_from(const struct h1_head *h, const struct h1_field *f, enum h1_field_id id)
{
	for (; f < h->fields + h->n_fields; f++)
		if (f->id == id && !f->hop)
			return f;
	return NULL;
}

const struct h1_field *
h1_find(const struct h1_head *h, enum h1_field_id id)
{
	return h->n_fields > 0 ? find_from(h, h->fields, id) : NULL;
}

const struct h1_field *
h1_next(const struct h1_head *h, const struct h1_field *f)
{
	return find_from(h, f + 1, f->id);
}

const struct h1_field *
h1_only(const struct h1_head *h, enum h1_field_id id)
{
	const struct h1_field *only = NULL;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (h->fields[i].id != id)
			continue;
		if (only != NULL)
			return NULL;
		only = &h->fields[i];
	}
	return only;
}
