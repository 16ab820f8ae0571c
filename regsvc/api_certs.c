/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_certs - the certificates of PASSporT services (FD-5.2.2-22, B-5.4.1).
 *
 * Read only (B-5.4.6).  The whole set was made into JSON once and is sent from there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "regsvc/api_int.h"
#include "regsvc/certs.h"

#define SOME_MAX (4 << 20) /* an answer with the certificates of one x5u */
#define FIELDS_MAX 128

static const struct certs_set *
set_of(const struct call *c)
{
	return certs_current(c->api->parts->certs);
}

/* "checked" changes without a new ETag: a weak one. */
static struct str
set_fields(const struct certs_set *set, char out[FIELDS_MAX])
{
	int n = snprintf(out, FIELDS_MAX, FIELDS_PRIVATE "ETag: W/\"%s\"\r\n", set->etag);

	return str_of(out, (size_t)n);
}

static struct call_text
hold(const struct certs_set *set, struct str json)
{
	return (struct call_text){ .held = snapshot_hold((struct snapshot *)(uintptr_t)&set->snap),
		.bytes = json,
		.size = json.n };
}

/* --- all, or those with one x5u --- */

static void
answer_all(struct call *c, const struct certs_set *set, struct str fields)
{
	const struct call_text text = hold(set, set->json);

	call_stream(c, "application/json", fields, &text);
}

struct some {
	struct snapshot snap;
	struct buf json;
};

static void
some_free(struct snapshot *s)
{
	struct some *some = (struct some *)(void *)s;

	buf_fini(&some->json);
	free(some);
}

static bool
put_some(struct buf *out, const struct certs_set *set, struct str x5u)
{
	const struct certs_entry *e = NULL;
	bool first = true;

	if (!buf_put(out, STR("{\"certificates\":[")))
		return false;
	while ((e = certs_by_x5u(set, x5u, e)) != NULL) {
		if ((!first && !buf_put(out, STR(","))) || !buf_put(out, e->json))
			return false;
		first = false;
	}
	return buf_put(out, STR("]}\n"));
}

static void
answer_some(struct call *c, const struct certs_set *set, struct str fields, struct str x5u)
{
	struct some *some = calloc(1, sizeof(*some));
	struct call_text text;

	if (some == NULL) {
		call_refuse(c, ERR_MEMORY, STR_NONE);
		return;
	}
	snapshot_init(&some->snap, some_free);
	buf_init(&some->json, SOME_MAX);
	if (!put_some(&some->json, set, x5u)) {
		snapshot_drop(&some->snap);
		call_refuse(c, ERR_MEMORY, STR_NONE);
		return;
	}
	text = (struct call_text){
		.held = &some->snap, .bytes = buf_str(&some->json), .size = buf_len(&some->json)
	};
	call_stream(c, "application/json", fields, &text);
}

void
api_certificates(struct call *c)
{
	const struct certs_set *set = set_of(c);
	char room[FIELDS_MAX], tag[sizeof(set->etag) + 2];
	struct str fields = set_fields(set, room), x5u;
	int n = snprintf(tag, sizeof(tag), "\"%s\"", set->etag);

	if (etag_matches(&c->ex->req, str_of(tag, (size_t)n)))
		call_answer(c, 304, "", fields, STR_NONE);
	else if (target_param(&c->target, STR("x5u"), &x5u))
		answer_some(c, set, fields, x5u);
	else
		answer_all(c, set, fields);
}

/* --- one --- */

void
api_certificate(struct call *c)
{
	const struct certs_set *set = set_of(c);
	const struct certs_entry *e = certs_by_fingerprint(set, c->target.segments[3]);
	struct call_text text = { .sent = 0 };

	if (e != NULL && e->why == OK)
		text = hold(set, e->json);
	if (text.held == NULL)
		call_refuse(c, ERR_CERTIFICATE_UNKNOWN, STR_NONE);
	else
		call_stream(c, "application/json", STR(FIELDS_PRIVATE), &text);
}
