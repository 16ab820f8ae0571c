/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_apps - Sygnal's apps, each by its type: the settings of all types, then those of one.
 */
#include <stdio.h>

#include "pushgw/import_int.h"

#define TTL "900" /* Sygnal's for Web Push, in seconds */
#define ENTRY "    "
#define SECTION "      "

/* --- files --- */

/* A path as Sygnal has it, below its own working directory. */
static void
put_path(struct import *im, const struct tree_node *n, const char *key)
{
	struct str path;

	if (!import_scalar(im, n, &path))
		return;
	if (!str_has_prefix(path, STR("/")))
		import_note(im, n,
		    "%s: decide: a relative path starts at the folder of this file now, not where "
		    "Sygnal was started",
		    n->key->text.p);
	import_put(im, SECTION "%s: ", key);
	import_text(im, "", path);
}

/* What has to be there and is not: a path to be filled in. */
static void
put_missing(struct import *im, const struct tree_node *app, const char *key, const char *file,
    const char *what)
{
	import_note(im, app, "%s: decide: %s", key, what);
	import_put(im, SECTION "%s: /etc/schleuse/%s\n", key, file);
}

/* --- APNs --- */

static void
put_environment(struct import *im, const struct tree_node *n)
{
	struct str text;

	if (n == NULL || !import_scalar(im, n, &text))
		return;
	if (str_eq(text, STR("production")) || str_eq(text, STR("sandbox")))
		import_put(im, SECTION "environment: " STR_FMT "\n", STR_ARG(text));
	else
		import_note(
		    im, n, "platform: neither production nor sandbox; it is production now");
}

static void
put_push_type(struct import *im, const struct tree_node *n)
{
	static const char *const types[] = { "alert", "background", "voip" };
	struct str text;

	if (n == NULL || !import_scalar(im, n, &text))
		return;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!str_eq(text, str_z(types[i])))
			continue;
		import_put(im, SECTION "push_type: %s\n", types[i]);
		return;
	}
	import_note(im, n, "push_type: no counterpart: only alert, background and voip are sent");
}

/* The gateway adds what the type of the push needs. */
static void
put_topic(struct import *im, const struct tree_node *app)
{
	const struct tree_node *n = import_find(app, "topic");
	struct str topic;

	if (n == NULL && import_find(app, "certfile") == NULL)
		import_note(
		    im, app, "topic: decide: it is missing; it is the bundle ID of the app");
	if (n == NULL || !import_scalar(im, n, &topic))
		return;
	if (str_has_suffix(topic, STR(".voip"))) {
		topic.n -= STR(".voip").n;
		import_note(im, n, "topic: differs: the gateway adds .voip for push_type: voip");
	}
	import_text(im, SECTION "topic: ", topic);
}

static void
put_apns_login(struct import *im, const struct tree_node *app)
{
	const struct tree_node *key = import_find(app, "keyfile"),
			       *certificate = import_find(app, "certfile");
	struct str text;

	if (key == NULL && certificate != NULL) {
		put_path(im, certificate, "certificate");
		return;
	}
	if (key != NULL)
		put_path(im, key, "key_file");
	else
		put_missing(
		    im, app, "key_file", "AuthKey.p8", "neither keyfile nor certfile is there");
	if (import_scalar(im, import_find(app, "key_id"), &text))
		import_text(im, SECTION "key_id: ", text);
	if (import_scalar(im, import_find(app, "team_id"), &text))
		import_text(im, SECTION "team_id: ", text);
	if (certificate != NULL)
		import_note(im, certificate, "certfile: left out, for keyfile is there");
}

static void
put_apns(struct import *im, const struct tree_node *app)
{
	bool base64 = import_is_true(im, import_find(app, "convert_device_token_to_hex"), true);

	put_environment(im, import_find(app, "platform"));
	put_apns_login(im, app);
	put_topic(im, app);
	put_push_type(im, import_find(app, "push_type"));
	import_put(im, SECTION "token: %s\n", base64 ? "base64" : "hex");
}

/* --- FCM --- */

static void
put_gcm(struct import *im, const struct tree_node *app)
{
	const struct tree_node *account = import_find(app, "service_account_file"), *n;
	struct str text;

	if (account != NULL)
		put_path(im, account, "service_account_file");
	else
		put_missing(im, app, "service_account_file", "service-account.json",
		    "only HTTP v1 of FCM is left, which needs a service account; make one in the "
		    "Firebase console and store its private key (JSON)");
	if (import_scalar(im, import_find(app, "project_id"), &text))
		import_text(im, SECTION "project_id: ", text);
	n = import_find(app, "api_key");
	if (n != NULL)
		import_note(im, n,
		    "api_key: no counterpart: Google has ended the legacy API; the key can be "
		    "deleted");
	n = import_find(app, "fcm_options");
	if (n != NULL)
		import_note(im, n,
		    "fcm_options: no counterpart: the gateway makes the message, with the priority "
		    "of the event and the ttl here");
	import_note(im, app,
	    "payload: decide: Sygnal sent all of the pusher's default_payload; name the members "
	    "that the app needs, if any");
}

/* --- Web Push --- */

static void
put_contact(struct import *im, const struct tree_node *app)
{
	const struct tree_node *n = import_find(app, "vapid_contact_email");
	char contact[300];
	struct str email;

	if (n == NULL)
		import_note(im, app,
		    "contact: decide: vapid_contact_email is not there; push services ask for it");
	if (n == NULL || !import_scalar(im, n, &email))
		return;
	snprintf(contact, sizeof(contact), "%s" STR_FMT,
	    str_has_prefix(email, STR("mailto:")) ? "" : "mailto:", STR_ARG(email));
	import_text(im, SECTION "contact: ", str_z(contact));
}

static void
put_endpoints(struct import *im, const struct tree_node *n)
{
	bool list = n != NULL && n->kind == TREE_LIST;
	struct str host;

	if (n == NULL)
		return;
	import_put(im, SECTION "endpoints:\n");
	for (const struct tree_node *c = list ? n->first : n; c != NULL; c = list ? c->next : NULL)
		if (import_scalar(im, c, &host))
			import_text(im, SECTION "  - ", host);
}

static void
put_webpush(struct import *im, const struct tree_node *app)
{
	const struct tree_node *key = import_find(app, "vapid_private_key"),
			       *ttl = import_find(app, "ttl");
	char seconds[24] = TTL;
	uint64_t n;

	if (key != NULL)
		put_path(im, key, "vapid_key_file");
	else
		put_missing(
		    im, app, "vapid_key_file", "vapid.pem", "vapid_private_key is not there");
	put_contact(im, app);
	put_endpoints(im, import_find(app, "allowed_endpoints"));
	if (ttl != NULL && import_number(im, ttl, 28 * 86400, &n))
		snprintf(seconds, sizeof(seconds), "%u", (unsigned)n);
	import_put(im, SECTION "ttl: %ss\n", seconds);
	import_note(im, app, "default_payload: no counterpart: nothing of it is sent to browsers");
}

/* --- an app --- */

static const struct type {
	const char *name, *class; /* as in Sygnal */
	const char *provider;
	void (*put)(struct import *im, const struct tree_node *app);
	const char *settings[16];
} types[] = {
	{ "apns", "sygnal.apnspushkin.ApnsPushkin", "apns", put_apns,
	    { "type", "inflight_request_limit", "send_badge_counts", "certfile", "keyfile",
		"key_id", "team_id", "topic", "platform", "push_type",
		"convert_device_token_to_hex", NULL } },
	{ "gcm", "sygnal.gcmpushkin.GcmPushkin", "fcm", put_gcm,
	    { "type", "inflight_request_limit", "send_badge_counts", "api_key", "api_version",
		"project_id", "service_account_file", "fcm_options", "max_connections", NULL } },
	{ "webpush", "sygnal.webpushpushkin.WebpushPushkin", "webpush", put_webpush,
	    { "type", "inflight_request_limit", "vapid_private_key", "vapid_contact_email",
		"allowed_endpoints", "ttl", "max_connections", NULL } },
};

static const struct type *
type_of(const struct tree_node *app)
{
	const struct tree_node *n = import_find(app, "type");

	for (size_t i = 0; n != NULL && i < sizeof(types) / sizeof(*types); i++)
		if (str_eq(n->text, str_z(types[i].name)) || str_eq(n->text, str_z(types[i].class)))
			return &types[i];
	return NULL;
}

/* What Sygnal refuses beyond its limit waits here. */
static void
put_concurrency(struct import *im, const struct tree_node *app)
{
	const struct tree_node *limit = import_find(app, "inflight_request_limit"),
			       *connections = import_find(app, "max_connections"),
			       *n = connections != NULL ? connections : limit;
	uint64_t number;

	if (n != NULL && import_number(im, n, 100000, &number) && number > 0)
		import_put(im, ENTRY "concurrency: %u\n", (unsigned)number);
	if (limit != NULL)
		import_note(im, limit,
		    "inflight_request_limit: differs: what is beyond concurrency waits in the "
		    "queue "
		    "and is not refused");
}

static void
put_counts(struct import *im, const struct type *type, const struct tree_node *app)
{
	const struct tree_node *n = import_find(app, "send_badge_counts");

	if (strcmp(type->name, "webpush") != 0 && import_is_true(im, n, true))
		import_note(im, n != NULL ? n : app,
		    "send_badge_counts: no counterpart: only room ID and event ID may be sent "
		    "(ML-123618-7); the app counts for itself");
}

static void
put_app(struct import *im, const struct tree_node *apps, const struct tree_node *app)
{
	const struct type *type = type_of(app);
	char shown[TREE_SHOW_MAX + 4];

	import_put(im, "\n");
	im->comment = "  ";
	tree_show(app->key->text, shown);
	if (import_last(apps, app->key->text) != app) {
		import_note(
		    im, app, "%s: appears twice; the last one counts, as for Sygnal", shown);
		return;
	}
	if (type == NULL) {
		import_note(im, app,
		    "%s: no counterpart: its type is none of apns, gcm and webpush; its pushkeys "
		    "are "
		    "rejected unless it gets an entry here",
		    shown);
		return;
	}
	import_text(im, "  - id: ", app->key->text);
	im->comment = ENTRY;
	import_put(im, ENTRY "provider: %s\n", type->provider);
	put_concurrency(im, app);
	put_counts(im, type, app);
	import_check_keys(im, app, type->settings, "this type");
	import_put(im, ENTRY "%s:\n", type->provider);
	im->comment = SECTION;
	type->put(im, app);
}

void
import_apps(struct import *im, const struct tree_node *apps)
{
	import_put(im, "\n");
	if (apps == NULL || apps->kind != TREE_MAP || apps->n == 0)
		import_note(im, apps, "apps: decide: there is none; at least one is needed");
	import_put(im, "apps:\n");
	for (const struct tree_node *c = apps != NULL && apps->kind == TREE_MAP ? apps->first
										: NULL;
	     c != NULL; c = c->next)
		put_app(im, apps, c);
	im->comment = "";
}
