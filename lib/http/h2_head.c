/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/h2_head.h"

#include "lib/http/h1_int.h"

#define FIELDS_FIRST 16
#define LINE_REST 14 /* blanks, version and two line ends */
#define FIELD_REST 4 /* colon, blank, CR, LF */

enum { METHOD = 1, SCHEME = 2, AUTHORITY = 4, PATH = 8 };

void
h2_head_begin(
    struct h2_head *h, struct arena *a, const struct h1_limits *lim, bool tls, struct h1_head *out)
{
	*h = (struct h2_head){
		.arena = a, .limits = lim, .out = out, .tls = tls, .size = LINE_REST
	};
	*out = (struct h1_head){ .minor = 1, .keep_alive = true };
}

static void
fault(struct h2_head *h, enum err why)
{
	if (h->err == OK)
		h->err = why;
}

/* --- pseudo fields --- */

static void
method(struct h2_head *h, struct str value)
{
	if (value.n == 0 || value.n > H1_METHOD_MAX)
		fault(h, ERR_HTTP_LINE);
	for (size_t i = 0; i < value.n; i++)
		if (!h1_is(value.p[i], H1_C_TOKEN))
			fault(h, ERR_HTTP_LINE);
	if (h->err != OK)
		return;
	h->out->method_text = value;
	h->out->method = h1_method_of(value);
}

static void
path(struct h2_head *h, struct str value)
{
	if (value.n > h->limits->target_max)
		fault(h, ERR_HTTP_TARGET_SIZE);
	if (value.n == 0)
		fault(h, ERR_HTTP_LINE);
	for (size_t i = 0; i < value.n; i++)
		if (!h1_is(value.p[i], H1_C_TARGET))
			fault(h, ERR_HTTP_TARGET);
	if (h->err == OK)
		h->out->target = value;
}

static void
pseudo(struct h2_head *h, struct str name, struct str value)
{
	unsigned which = str_eq(name, STR(":method"))      ? METHOD
			 : str_eq(name, STR(":scheme"))    ? SCHEME
			 : str_eq(name, STR(":authority")) ? AUTHORITY
			 : str_eq(name, STR(":path"))      ? PATH
							   : 0;

	/* Unknown (":protocol" too: nobody was offered extended CONNECT), twice, or too late. */
	if (which == 0 || (h->pseudo & which) != 0 || h->fields_begun) {
		fault(h, ERR_HTTP_LINE);
		return;
	}
	h->pseudo |= which;
	if (which == SCHEME)
		h->size -= value.n; /* HTTP/1.1 does not write it */
	if (which == AUTHORITY)
		h->size += sizeof("Host") - 1 + FIELD_REST;
	value = arena_dup(h->arena, value);
	if (value.p == NULL)
		fault(h, ERR_MEMORY);
	else if (which == METHOD)
		method(h, value);
	else if (which == PATH)
		path(h, value);
	else if (which == SCHEME)
		h->scheme = value;
	else
		h->authority = value;
}

/* --- fields --- */

/* Lower-case token characters; in HTTP/2 nothing else is a name. */
static bool
name_good(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!h1_is(name.p[i], H1_C_TOKEN) || (name.p[i] >= 'A' && name.p[i] <= 'Z'))
			return false;
	return name.n > 0;
}

static bool
value_good(struct str value)
{
	if (value.n > 0 && (h1_is_blank(value.p[0]) || h1_is_blank(value.p[value.n - 1])))
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (!h1_is(value.p[i], H1_C_VALUE))
			return false;
	return true;
}

/* What the fields say about the message; connection-specific ones are no part of HTTP/2. */
static enum err
note(struct h2_head *h, const struct h1_field *f)
{
	switch (f->id) {
	case H1_F_TRANSFER_ENCODING:
		return ERR_HTTP_FRAMING;
	case H1_F_CONNECTION:
	case H1_F_KEEP_ALIVE:
	case H1_F_PROXY_CONNECTION:
	case H1_F_UPGRADE:
		return ERR_HTTP_FIELD;
	case H1_F_TE:
		return str_eq_ci(f->value, STR("trailers")) ? OK : ERR_HTTP_FIELD;
	case H1_F_HOST:
		h->hosts++;
		h->out->host = f->value;
		break;
	case H1_F_CONTENT_LENGTH:
		h->lengths++;
		h->length_bad |= !str_to_u64(f->value, UINT64_MAX, &h->out->length);
		break;
	case H1_F_EXPECT:
		h->out->expect_continue = true;
		h->expect_bad |= !str_eq_ci(f->value, STR("100-continue"));
		break;
	case H1_F_COOKIE:
		h->cookies++;
		break;
	default:
		break;
	}
	return OK;
}

/* A place for one more field, or NULL. */
static struct h1_field *
place(struct h2_head *h)
{
	struct h1_head *out = h->out;
	struct h1_field *more;
	size_t room;

	if (out->n_fields == h->room) {
		room = h->room == 0 ? FIELDS_FIRST : 2 * h->room;
		more = arena_alloc(h->arena, room * sizeof(*more));
		if (more == NULL)
			return NULL;
		if (out->n_fields > 0)
			memcpy(more, out->fields, out->n_fields * sizeof(*more));
		out->fields = more;
		h->room = room;
	}
	return &out->fields[out->n_fields];
}

static void
field(struct h2_head *h, struct str name, struct str value)
{
	const struct h1_name *known;
	struct h1_field *f;
	char *p;

	if (!name_good(name) || !value_good(value)) {
		fault(h, ERR_HTTP_FIELD);
		return;
	}
	f = place(h);
	p = f != NULL ? arena_bytes(h->arena, name.n + value.n) : NULL;
	if (p == NULL) {
		fault(h, ERR_MEMORY);
		return;
	}
	f->name = str_of(p, name.n);
	f->value = str_of(p + name.n, value.n);
	str_put(str_put(p, name), value);
	known = h1_name_find(f->name);
	f->id = known != NULL ? known->id : H1_F_OTHER;
	f->hop = known != NULL && known->hop;
	h->out->n_fields++;
	fault(h, note(h, f));
}

static bool
too_many(const struct h2_head *h)
{
	size_t n = h->out->n_fields + ((h->pseudo & AUTHORITY) != 0); /* becomes Host */

	return n >= h->limits->fields_max || n >= H1_FIELDS_CEILING;
}

bool
h2_head_add(struct h2_head *h, struct str name, struct str value)
{
	bool is_pseudo = name.n > 0 && name.p[0] == ':';

	h->size += value.n + (is_pseudo ? 0 : name.n + FIELD_REST);
	if (h->size > H2_HEAD_EXCESS * h->limits->head_max)
		return false;
	/* The target's own limit has its own answer, as it is judged first in HTTP/1.1. */
	if (is_pseudo && h->err == OK)
		pseudo(h, name, value);
	else
		h->fields_begun = true;
	if (h->size > h->limits->head_max || (!is_pseudo && too_many(h)))
		fault(h, ERR_HTTP_HEAD_SIZE);
	if (!is_pseudo && h->err == OK)
		field(h, name, value);
	return true;
}

/* --- the end --- */

/* RFC 9113 8.2.3: cookies come in crumbs; HTTP/1.1 knows one field. */
static enum err
join_cookies(struct h2_head *h)
{
	struct h1_head *out = h->out;
	struct h1_field *first = NULL;
	size_t n = 0, kept = 0;
	char *begin, *p;

	for (size_t i = 0; i < out->n_fields; i++)
		if (out->fields[i].id == H1_F_COOKIE)
			n += out->fields[i].value.n + 2;
	begin = p = arena_bytes(h->arena, n);
	if (p == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < out->n_fields; i++) {
		struct h1_field *f = &out->fields[i];

		if (f->id == H1_F_COOKIE) {
			if (first != NULL)
				p = str_put(p, STR("; "));
			p = str_put(p, f->value);
			if (first != NULL)
				continue;
			first = &out->fields[kept];
		}
		out->fields[kept++] = *f;
	}
	first->value = str_of(begin, (size_t)(p - begin));
	out->n_fields = kept;
	return OK;
}

/* The authority becomes the Host field, in front of the others. */
static enum err
add_host(struct h2_head *h)
{
	struct h1_head *out = h->out;

	if (place(h) == NULL)
		return ERR_MEMORY;
	memmove(out->fields + 1, out->fields, out->n_fields * sizeof(*out->fields));
	out->fields[0] =
	    (struct h1_field){ .name = STR("host"), .value = h->authority, .id = H1_F_HOST };
	out->n_fields++;
	out->host = h->authority;
	return OK;
}

static enum err
judge_host(struct h2_head *h)
{
	bool given = (h->pseudo & AUTHORITY) != 0;

	if (h->hosts > 1 || (h->hosts == 0 && !given))
		return ERR_HTTP_HOST;
	if (given && h->hosts == 1 && !str_eq_ci(h->authority, h->out->host))
		return ERR_HTTP_HOST;
	if (h->hosts == 0) {
		enum err err = add_host(h);

		if (err != OK)
			return err;
	}
	return h1_is_authority(h->out->host, false) ? OK : ERR_HTTP_HOST;
}

static enum err
judge_target(const struct h2_head *h)
{
	const struct h1_head *out = h->out;

	if (out->method == H1_CONNECT)
		return ERR_METHOD;
	if ((h->pseudo & (METHOD | SCHEME | PATH)) != (METHOD | SCHEME | PATH))
		return ERR_HTTP_LINE;
	if (!str_eq(h->scheme, h->tls ? STR("https") : STR("http")))
		return ERR_HTTP_TARGET;
	if (out->target.p[0] == '/')
		return OK;
	return out->method == H1_OPTIONS && str_eq(out->target, STR("*")) ? OK : ERR_HTTP_TARGET;
}

static enum err
judge_length(struct h2_head *h, bool body)
{
	struct h1_head *out = h->out;

	if (h->lengths > 1 || h->length_bad || (h->lengths == 1 && !body && out->length > 0))
		return ERR_HTTP_FRAMING;
	if (h->expect_bad)
		return ERR_HTTP_EXPECT;
	out->framing = h->lengths == 1 ? H1_LENGTH : body ? H1_CHUNKED : H1_NO_BODY;
	return OK;
}

enum err
h2_head_end(struct h2_head *h, bool body)
{
	if (h->err == OK)
		h->err = judge_target(h);
	if (h->err == OK)
		h->err = judge_host(h);
	if (h->err == OK)
		h->err = judge_length(h, body);
	if (h->err == OK && h->cookies > 1)
		h->err = join_cookies(h);
	if (h->err != OK) {
		h->out->framing = H1_NO_BODY;
		h->out->expect_continue = false;
	}
	return h->err;
}

bool
h2_head_trailer(struct str name, struct str value)
{
	const struct h1_name *known;

	if (!name_good(name) || !value_good(value))
		return false;
	known = h1_name_find(name);
	return known == NULL || (known->id != H1_F_HOST && known->id != H1_F_CONTENT_LENGTH &&
				    known->id != H1_F_TRANSFER_ENCODING);
}

/* --- responses --- */

static nghttp2_nv
pair(struct str name, struct str value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
		.value = (uint8_t *)(uintptr_t)value.p,
		.namelen = name.n,
		.valuelen = value.n };
}

size_t
h2_head_response(const struct h1_head *resp, char digits[3], nghttp2_nv nv[H2_HEAD_NVS])
{
	size_t n = 0;

	digits[0] = (char)('0' + resp->status / 100);
	digits[1] = (char)('0' + resp->status / 10 % 10);
	digits[2] = (char)('0' + resp->status % 10);
	nv[n++] = pair(STR(":status"), str_of(digits, 3));
	for (size_t i = 0; i < resp->n_fields; i++)
		if (!resp->fields[i].hop)
			nv[n++] = pair(resp->fields[i].name, resp->fields[i].value);
	return n;
}
