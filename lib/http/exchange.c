/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/exchange.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

static struct str
http_date(struct arena *a)
{
	char text[40];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return arena_dup(a, str_z(text));
}

static struct h1_field *
add(struct h1_head *h, const char *name, struct str value)
{
	struct h1_field *f = &h->fields[h->n_fields++];

	*f = (struct h1_field){ .name = str_z(name), .value = value };
	return f;
}

static size_t
count_lines(struct str fields)
{
	size_t n = 0;

	for (size_t i = 0; i < fields.n; i++)
		n += fields.p[i] == '\n';
	return n;
}

/* "Name: value\r\n" lines to fields; they are our own, so their form is known. */
static void
add_lines(struct h1_head *h, struct str fields)
{
	struct str line, name, value;

	while (str_cut(fields, '\n', &line, &fields)) {
		str_cut(line, ':', &name, &value);
		value = str_trim(value);
		if (value.n > 0 && value.p[value.n - 1] == '\r')
			value.n--;
		h->fields[h->n_fields++] = (struct h1_field){ .name = name, .value = value };
	}
}

bool
exchange_head_hsts(struct exchange *ex, const struct h1_head *resp)
{
	struct h1_head h = *resp;

	if (h1_find(resp, H1_F_TRANSPORT_SECURITY) != NULL)
		return ex->ops->head(ex, resp);
	if (h.room == 0) {
		h.fields = arena_alloc(&ex->arena, (h.n_fields + 1) * sizeof(*h.fields));
		if (h.fields == NULL)
			return false;
		if (h.n_fields > 0)
			memcpy(h.fields, resp->fields, h.n_fields * sizeof(*h.fields));
	}
	h.fields[h.n_fields++] = (struct h1_field){ .name = STR("Strict-Transport-Security"),
		.value = ex->hsts,
		.id = H1_F_TRANSPORT_SECURITY };
	return ex->ops->head(ex, &h);
}

bool
exchange_answer_head(
    struct exchange *ex, int status, const char *content_type, struct str fields, uint64_t length)
{
	bool bodiless = status == 204 || status == 304; /* RFC 9110 8.6: and no Content-Length */
	struct h1_head h = { .status = status,
		.reason = str_z(h1_reason(status)),
		.minor = 1,
		.framing = bodiless ? H1_NO_BODY : H1_LENGTH,
		.length = length,
		.keep_alive = true };
	char text[24];
	size_t n;

	h.fields = arena_alloc(&ex->arena, (4 + count_lines(fields)) * sizeof(*h.fields));
	h.room = 1;
	if (h.fields == NULL)
		return false;
	add(&h, "Date", http_date(&ex->arena));
	if (length > 0)
		add(&h, "Content-Type", str_z(content_type));
	n = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)length);
	if (!bodiless)
		add(&h, "Content-Length", str_of(text, n))->id = H1_F_CONTENT_LENGTH;
	add_lines(&h, fields);
	return exchange_head(ex, &h);
}

void
exchange_answer(
    struct exchange *ex, int status, const char *content_type, struct str fields, struct str body)
{
	if (!exchange_answer_head(ex, status, content_type, fields, body.n) ||
	    (ex->req.method != H1_HEAD && exchange_write(ex, body) != body.n)) {
		exchange_abort(ex);
		return;
	}
	exchange_end(ex);
}

uint64_t
exchange_new_id(void)
{
	static _Thread_local unsigned char key[crypto_shorthash_KEYBYTES];
	static _Thread_local uint64_t count;
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t id;

	if (count++ == 0)
		randombytes_buf(key, sizeof(key));
	crypto_shorthash(out, (const unsigned char *)&count, sizeof(count), key);
	memcpy(&id, out, sizeof(id));
	return id;
}
