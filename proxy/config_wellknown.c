/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_wellknown - builds the documents under /.well-known/matrix from their settings.
 *
 * A wrong document cuts a server off from the federation or its clients from it, and is remembered
 * by others for hours: so values are judged here, and the JSON is made by jansson alone.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/daemon/setting.h"
#include "lib/matrix/name.h"
#include "proxy/config_check.h"
#include "proxy/refusal.h"

#define FILE_MAX (48 << 10) /* servers that ask read up to 50 KiB */
#define FIELDS_MAX 1024

static enum document_mode
mode_of(const char *value)
{
	if (strcmp(value, "forward") == 0)
		return DOCUMENT_FORWARD;
	return strcmp(value, "off") == 0 ? DOCUMENT_OFF : DOCUMENT_SERVE;
}

/* Keeps the text of `o` and what is sent with it; takes over the reference. */
static void
keep(struct load *l, struct service_conf *s, enum route_document which, json_t *o)
{
	struct document *d = &s->well_known.documents[which];
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL, fields[FIELDS_MAX];
	int n =
	    snprintf(fields, sizeof(fields), REFUSAL_CORS "Cache-Control: public, max-age=%llu\r\n",
		(unsigned long long)(s->well_known.max_age / 1000));

	d->mode = DOCUMENT_SERVE;
	d->body = text != NULL ? arena_dup(l->ctx.arena, str_z(text)) : STR_NONE;
	d->fields = arena_dup(l->ctx.arena, str_of(fields, (size_t)n));
	if (d->body.p == NULL || d->fields.p == NULL)
		load_fault(l, &s->well_known, "well_known: out of memory");
	free(text);
	json_decref(o);
}

/* A file with one JSON object; NULL after adding a fault. */
static json_t *
read_object(struct load *l, const char *what, char *const *path)
{
	struct str text;
	json_error_t e;
	json_t *o;

	if (!setting_file(l, what, path, FILE_MAX, &text))
		return NULL;
	o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &e);
	if (o == NULL)
		load_fault(l, path, "%s: %s:%d:%d: %s; expected a JSON object", what, *path, e.line,
		    e.column, e.text);
	else if (!json_is_object(o))
		load_fault(l, path, "%s: %s is not a JSON object", what, *path);
	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

/* --- server --- */

static void
make_server(struct load *l, struct service_conf *s)
{
	struct well_known_conf *w = &s->well_known;
	struct server_name name;

	w->documents[DOCUMENT_SERVER].mode = mode_of(w->server);
	if (w->documents[DOCUMENT_SERVER].mode != DOCUMENT_SERVE)
		return;
	if (name_parse(str_z(w->server), &name))
		keep(l, s, DOCUMENT_SERVER, json_pack("{s:s}", "m.server", w->server));
	else
		load_fault(l, &w->server,
		    "server: '%s' is neither a host, with or without port, nor forward or off",
		    w->server);
}

/* --- client --- */

static bool
put_url(struct load *l, json_t *o, const char *member, const char *what, char *const *url)
{
	if (*url == NULL)
		return true;
	if (!setting_is_https(*url)) {
		load_fault(l, url, "%s: must be https://host without user and password", what);
		return false;
	}
	return json_object_set_new(o, member, json_pack("{s:s}", "base_url", *url)) == 0;
}

static void
make_client(struct load *l, struct service_conf *s)
{
	struct well_known_conf *w = &s->well_known;
	json_t *o, *more;

	w->documents[DOCUMENT_CLIENT].mode = mode_of(w->client);
	if (w->documents[DOCUMENT_CLIENT].mode != DOCUMENT_SERVE) {
		if (w->client_file != NULL || w->identity_server != NULL)
			load_fault(l,
			    w->client_file != NULL ? &w->client_file : &w->identity_server,
			    "well_known: without a URL in client there is nothing to add to");
		return;
	}
	o = json_object();
	if (!put_url(l, o, "m.homeserver", "client", &w->client) ||
	    !put_url(l, o, "m.identity_server", "identity_server", &w->identity_server)) {
		json_decref(o);
		return;
	}
	more = w->client_file != NULL ? read_object(l, "client_file", &w->client_file) : NULL;
	if (more != NULL &&
	    (json_object_get(more, "m.homeserver") != NULL ||
		(w->identity_server != NULL && json_object_get(more, "m.identity_server") != NULL)))
		load_fault(l, &w->client_file,
		    "client_file: %s repeats m.homeserver or m.identity_server; remove it there",
		    w->client_file);
	else if (more != NULL && json_object_update(o, more) != 0)
		load_fault(l, &w->client_file, "client_file: out of memory");
	json_decref(more);
	keep(l, s, DOCUMENT_CLIENT, o);
}

/* --- support --- */

static bool
is_email(const char *s)
{
	const char *at = strchr(s, '@');

	return at != NULL && at != s && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	       strpbrk(s, " <>\"\\") == NULL;
}

static json_t *
contact(struct load *l, struct contact_conf *c)
{
	struct str local, server;
	json_t *o = json_pack("{s:s}", "role", c->role);

	if (c->matrix_id == NULL && c->email == NULL)
		load_fault(l, c, "contacts: a contact needs matrix_id, email or both");
	if (c->matrix_id != NULL) {
		if (!mxid_parse(str_z(c->matrix_id), &local, &server))
			load_fault(l, &c->matrix_id,
			    "matrix_id: not a Matrix user ID; write @name:server");
		json_object_set_new(o, "matrix_id", json_string(c->matrix_id));
	}
	if (c->email != NULL) {
		if (!is_email(c->email))
			load_fault(l, &c->email, "email: not an e-mail address");
		json_object_set_new(o, "email_address", json_string(c->email));
	}
	return o;
}

static json_t *
support_of_settings(struct load *l, struct well_known_conf *w)
{
	json_t *o = json_object(), *contacts = json_array();

	for (size_t i = 0; i < w->n_contacts; i++)
		if (w->contacts[i].role != NULL)
			json_array_append_new(contacts, contact(l, &w->contacts[i]));
	if (json_array_size(contacts) > 0)
		json_object_set(o, "contacts", contacts);
	json_decref(contacts);
	if (w->support_page != NULL && !setting_is_https(w->support_page))
		load_fault(l, &w->support_page,
		    "support_page: must be https://host/path without user and password");
	if (w->support_page != NULL)
		json_object_set_new(o, "support_page", json_string(w->support_page));
	return o;
}

static void
make_support(struct load *l, struct service_conf *s)
{
	struct well_known_conf *w = &s->well_known;
	bool settings = w->n_contacts > 0 || w->support_page != NULL;
	json_t *o;

	w->documents[DOCUMENT_SUPPORT].mode = w->support;
	if (w->support != DOCUMENT_SERVE) {
		if (settings || w->support_file != NULL)
			load_fault(l, &w->support,
			    "support: set it to serve, or remove what the document would say");
		return;
	}
	if (settings == (w->support_file != NULL)) {
		load_fault(l, &w->support, "support: %s",
		    settings ? "both a file and contacts or a page are set; give one of the two"
			     : "nothing to serve; set contacts, support_page or support_file");
		return;
	}
	o = settings ? support_of_settings(l, w) : read_object(l, "support_file", &w->support_file);
	if (o != NULL)
		keep(l, s, DOCUMENT_SUPPORT, o);
}

void
config_well_known(struct load *l, struct service_conf *s)
{
	struct well_known_conf *w = &s->well_known;

	if (w->server != NULL)
		make_server(l, s);
	if (w->client != NULL)
		make_client(l, s);
	make_support(l, s);
}
