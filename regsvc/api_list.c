/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_list - the federation list and its state (FD-5.2.2-10, -15, -17; T-4).
 *
 * Whoever asks for the list or a part of it waits until the VZD was asked whether it is current;
 * that ends in time, whatever the VZD does, and then what is held is the answer, with its age.  An
 * outdated list is never given away.
 */
#include <stdio.h>

#include "regsvc/api_int.h"
#include "regsvc/lists.h"

#define FIELDS_MAX 256

struct lists_view
api_list_view(const struct api *a)
{
	return lists_current(a->parts->lists);
}

static void
on_checked(void *arg)
{
	struct call *c = arg;
	struct lists_view v = api_list_view(c->api);

	c->check = NULL;
	if (v.status == LISTS_MISSING)
		call_refuse(c, ERR_FEDLIST_MISSING, STR_NONE);
	else if (v.status == LISTS_OUTDATED)
		call_refuse(c, ERR_FEDLIST_STALE, STR_NONE);
	else
		c->checked(c, &v);
}

void
api_list_check(struct call *c, void (*then)(struct call *c, const struct lists_view *v))
{
	c->checked = then;
	c->check = lists_check(c->api->parts->lists, on_checked, c);
	if (c->check == NULL)
		call_refuse(c, ERR_MEMORY, STR_NONE);
}

/* --- the list --- */

/* The fields of any answer about a list; `form` tells apart what it is served as. */
static struct str
list_fields(const struct lists_view *v, const char *form, char out[FIELDS_MAX], struct str *etag)
{
	char *tag;
	int n = snprintf(out, FIELDS_MAX, FIELDS_PRIVATE "Age: %lld\r\n", (long long)v->age);

	tag = out + n + sizeof("ETag: ") - 1;
	n += snprintf(out + n, FIELDS_MAX - (size_t)n, "ETag: \"%s%s\"\r\n", v->text->etag, form);
	*etag = str_of(tag, (size_t)(out + n - tag) - 2);
	return str_of(out, (size_t)n);
}

static bool
is_compact(const struct lists_view *v)
{
	return v->text->jws.p[0] != '{';
}

static void
answer_jws(struct call *c, const struct lists_view *v)
{
	struct call_text text = { .bytes = v->text->jws, .size = v->text->jws.n };
	char room[FIELDS_MAX];
	struct str etag, fields = list_fields(v, "", room, &etag);

	if (etag_matches(&c->ex->req, etag)) {
		call_answer(c, 304, "", fields, STR_NONE);
	} else if (c->has_version && c->version == (uint64_t)v->version) {
		call_answer(c, 204, "", fields, STR_NONE);
	} else {
		text.held = snapshot_hold(&v->text->snap);
		call_stream(
		    c, is_compact(v) ? "application/jose" : "application/jose+json", fields, &text);
	}
}

void
api_list_jws(struct call *c)
{
	struct str version;

	c->has_version = target_param(&c->target, STR("version"), &version);
	if (c->has_version && !str_to_u64(version, INT64_MAX, &c->version))
		call_refuse(c, ERR_QUERY, STR_NONE);
	else
		api_list_check(c, answer_jws);
}

/* --- its payload in plain JSON, for auditors --- */

static void
answer_json(struct call *c, const struct lists_view *v)
{
	struct call_text text = { .base64url = true, .bytes = v->text->payload };
	char room[FIELDS_MAX];
	struct str etag, fields = list_fields(v, ".json", room, &etag);

	if (etag_matches(&c->ex->req, etag)) {
		call_answer(c, 304, "", fields, STR_NONE);
		return;
	}
	text.size = text.bytes.n / 4 * 3 + (text.bytes.n % 4 > 0 ? text.bytes.n % 4 - 1 : 0);
	text.held = snapshot_hold(&v->text->snap);
	call_stream(c, "application/json", fields, &text);
}

void
api_list_json(struct call *c)
{
	api_list_check(c, answer_json);
}

/* --- its state --- */

static const char *
number(int64_t n, bool known, char out[24])
{
	snprintf(out, 24, "%lld", (long long)n);
	return known ? out : "null";
}

static const char *
date(int64_t second, char out[32])
{
	time_t t = (time_t)second;
	struct tm tm;

	if (second == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, 32, "\"%Y-%m-%dT%H:%M:%SZ\"", &tm) == 0)
		return "null";
	return out;
}

void
api_list_status(struct call *c)
{
	struct lists_view v = api_list_view(c->api);
	char version[24], age[24], as_of[32], text[256];
	int n = snprintf(text, sizeof(text),
	    "{\"version\":%s,\"entries\":%zu,\"as_of\":%s,\"age\":%s,\"status\":\"%s\","
	    "\"vzd\":\"%s\"}\n",
	    number(v.version, v.text != NULL, version), v.entries, date(v.as_of, as_of),
	    number(v.age, v.age != INT64_MAX, age), lists_status_names[v.status],
	    v.healthy ? "healthy" : "unhealthy");

	call_answer(c, 200, "application/json", STR(FIELDS_PRIVATE), str_of(text, (size_t)n));
}

/* --- for those who wait for changes --- */

uint64_t
api_list_version(const struct api *a)
{
	struct lists_view v = api_list_view(a);

	return v.text != NULL ? (uint64_t)v.version : 0;
}

const char *
api_list_state(const struct api *a)
{
	return lists_status_names[api_list_view(a).status];
}

char *
api_list_news(const struct api *a, char *out, size_t cap)
{
	struct lists_view v = api_list_view(a);
	char version[24];

	snprintf(out, cap, "{\"version\":%s,\"status\":\"%s\"}",
	    number(v.version, v.text != NULL, version), lists_status_names[v.status]);
	return out;
}
