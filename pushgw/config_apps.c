/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_apps - what the settings of an entry of `apps` demand of each other.
 */
#include "lib/daemon/setting.h"
#include "pushgw/config_check.h"
#include "pushgw/providers/payload.h"

#define APPLE_ID 10 /* characters of a key's and a team's ID */

static const struct section {
	const char *name;
	const struct conf_option *rows;
	struct conf_field field;
} sections[APP_PROVIDERS] = {
	[APP_APNS] = { "apns", config_apns_rows, CONF_FIELD(struct app_conf, apns) },
	[APP_FCM] = { "fcm", config_fcm_rows, CONF_FIELD(struct app_conf, fcm) },
	[APP_WEBPUSH] = { "webpush", config_webpush_rows, CONF_FIELD(struct app_conf, webpush) },
	[APP_UNIFIEDPUSH] = { "unifiedpush", config_unifiedpush_rows,
	    CONF_FIELD(struct app_conf, unifiedpush) },
};

/* --- texts --- */

bool
config_made_of(const char *s, const char *others)
{
	for (; *s != '\0'; s++)
		if (!(*s >= '0' && *s <= '9') && !(str_lower(*s) >= 'a' && str_lower(*s) <= 'z') &&
		    strchr(others, *s) == NULL)
			return false;
	return true;
}

/* Only scheme, host and port; a "/" at the end is taken away. */
static void
check_server(struct load *l, const char *what, char **url)
{
	char *path;

	if (*url == NULL)
		return;
	path = strncmp(*url, "https://", 8) == 0 ? strpbrk(*url + 8, "/?#") : NULL;
	if (path != NULL && strcmp(path, "/") == 0)
		*path = '\0';
	else if (path != NULL || !setting_is_https(*url))
		load_fault(l, url,
		    "%s: '%s' is not the https URL of a server; write https://host or "
		    "https://host:port, without user, password and path",
		    what, *url);
}

/* Hosts, or globs of them, as an endpoint's URL is compared with them: in lower case. */
static void
check_endpoints(struct load *l, struct conf_list *endpoints)
{
	for (size_t i = 0; i < endpoints->n; i++) {
		char *host = endpoints->v[i];

		if (host == NULL)
			continue;
		for (char *s = host; *s != '\0'; s++)
			*s = str_lower(*s);
		if (!config_made_of(host, "-.*?:"))
			load_fault(l, &endpoints->v[i],
			    "endpoints: '%s' is not a host or a glob of hosts; write it without "
			    "scheme, port and path",
			    host);
	}
}

/* --- what each provider needs --- */

static void
check_apple_id(struct load *l, const char *what, char *const *id)
{
	if (*id != NULL && (strlen(*id) != APPLE_ID || !config_made_of(*id, "")))
		load_fault(l, id,
		    "%s: '%s' is no such ID; it has ten letters and digits and is shown in the "
		    "developer account",
		    what, *id);
}

static void
check_apns_token(struct load *l, struct apns_conf *a)
{
	if (a->certificate != NULL || a->certificate_key != NULL)
		load_fault(l, a->certificate != NULL ? &a->certificate : &a->certificate_key,
		    "certificate and key_file are two ways to log in at APNs; remove one");
	if (a->key_id == NULL)
		load_fault(l, &a->key_file, "key_file: needs key_id, which is in its name");
	if (a->team_id == NULL)
		load_fault(l, &a->key_file, "key_file: needs team_id");
	if (a->topic == NULL)
		load_fault(l, &a->key_file, "key_file: needs topic, the bundle ID of the app");
	check_apple_id(l, "key_id", &a->key_id);
	check_apple_id(l, "team_id", &a->team_id);
}

static void
check_apns_certificate(struct load *l, struct app_conf *app)
{
	struct apns_conf *a = &app->apns;

	if (a->certificate == NULL)
		load_fault(l, &app->provider,
		    "provider: apns needs apns.key_file (with key_id, team_id and topic) or "
		    "apns.certificate");
	if (a->key_id != NULL || a->team_id != NULL)
		load_fault(l, a->key_id != NULL ? &a->key_id : &a->team_id,
		    "key_id and team_id are only used with key_file");
}

static void
check_payload(struct load *l, const struct conf_list *paths, enum payload_form form)
{
	for (size_t i = 0; i < paths->n; i++) {
		const char *path = paths->v[i], *why;

		why = path != NULL ? payload_path_fault(str_z(path), form) : NULL;
		if (why != NULL)
			load_fault(l, &paths->v[i], "payload: '%s' %s; remove it", path, why);
	}
}

static void
check_apns(struct load *l, struct app_conf *app)
{
	struct apns_conf *a = &app->apns;

	check_server(l, "url", &a->url);
	if (a->url == NULL)
		a->url =
		    arena_z(l->ctx.arena, a->sandbox ? STR("https://api.sandbox.push.apple.com")
						     : STR("https://api.push.apple.com"));
	if (a->url == NULL)
		load_fault(l, &a->url, "url: out of memory");
	if (a->topic != NULL &&
	    (!config_made_of(a->topic, "-.") || str_has_suffix(str_z(a->topic), STR(".voip"))))
		load_fault(l, &a->topic,
		    "topic: '%s' is not a bundle ID; it has letters, digits, '-' and '.', and the "
		    "gateway itself adds .voip for push_type: voip",
		    a->topic);
	if (a->key_file != NULL)
		check_apns_token(l, a);
	else
		check_apns_certificate(l, app);
	check_payload(l, &a->payload, PAYLOAD_NESTED);
}

static void
check_fcm(struct load *l, struct app_conf *app)
{
	struct fcm_conf *f = &app->fcm;

	if (f->service_account_file == NULL)
		load_fault(l, &app->provider, "provider: fcm needs fcm.service_account_file");
	check_server(l, "url", &f->url);
	if (f->token_url != NULL && !setting_is_https(f->token_url))
		load_fault(l, &f->token_url,
		    "token_url: '%s' is not an https URL without user and password", f->token_url);
	if (f->project_id != NULL && !config_made_of(f->project_id, "-.:"))
		load_fault(l, &f->project_id,
		    "project_id: '%s' is not the ID of a project; it has letters, digits and '-'",
		    f->project_id);
	check_payload(l, &f->payload, PAYLOAD_STRINGS);
}

static void
check_webpush(struct load *l, struct app_conf *app)
{
	struct webpush_conf *w = &app->webpush;

	if (w->vapid_key_file == NULL)
		load_fault(l, &app->provider, "provider: webpush needs webpush.vapid_key_file");
	if (w->contact == NULL)
		load_fault(l, &app->provider,
		    "provider: webpush needs webpush.contact, which push services ask for");
	else if (strncmp(w->contact, "mailto:", 7) != 0 && !setting_is_https(w->contact))
		load_fault(l, &w->contact,
		    "contact: '%s' is neither mailto: with an address nor an https URL",
		    w->contact);
	check_endpoints(l, &w->endpoints);
}

static void
check_unifiedpush(struct load *l, struct app_conf *app)
{
	check_endpoints(l, &app->unifiedpush.endpoints);
}

/* --- an entry --- */

static void
check_id(struct load *l, const struct pushgw_conf *c, size_t at)
{
	const char *id = c->apps[at].id;

	for (size_t i = 0; id != NULL && i < at; i++)
		if (c->apps[i].id != NULL && strcmp(c->apps[i].id, id) == 0)
			load_fault(
			    l, &c->apps[at].id, "id: '%s' appears twice; remove one entry", id);
}

static void
check_opt_in(struct load *l, const struct app_conf *app)
{
	if (app->opt_in == OPT_IN_REQUIRED && app->opt_in_flag == NULL)
		load_fault(l, &app->opt_in,
		    "opt_in: required needs opt_in_flag, the member of the pusher's data by which "
		    "the client says that the user agreed");
	if (app->opt_in == OPT_IN_PUSHER && app->opt_in_flag != NULL)
		load_fault(
		    l, &app->opt_in_flag, "opt_in_flag: is only looked at with opt_in: required");
}

/* Settings of a provider that is not this app's are a mistake somewhere. */
static void
check_sections(struct load *l, const struct app_conf *app)
{
	for (size_t i = 0; i < APP_PROVIDERS; i++) {
		const char *base = (const char *)app + sections[i].field.at;

		if (i == app->provider)
			continue;
		for (const struct conf_option *r = sections[i].rows; r->name != NULL; r++) {
			if (!load_given(l, base + r->field.at))
				continue;
			load_fault(l, base + r->field.at,
			    "%s: the provider of this app is %s; remove the section or change the "
			    "provider",
			    sections[i].name, sections[app->provider].name);
			break;
		}
	}
}

void
config_apps(struct load *l, struct pushgw_conf *c)
{
	static void (*const checks[APP_PROVIDERS])(struct load * l, struct app_conf * app) = {
		[APP_APNS] = check_apns,
		[APP_FCM] = check_fcm,
		[APP_WEBPUSH] = check_webpush,
		[APP_UNIFIEDPUSH] = check_unifiedpush,
	};
	bool rows_ok = load_ok(l); /* else a provider may be missing or unknown */

	for (size_t i = 0; i < c->n_apps; i++) {
		check_id(l, c, i);
		check_opt_in(l, &c->apps[i]);
		if (!rows_ok)
			continue;
		check_sections(l, &c->apps[i]);
		checks[c->apps[i].provider](l, &c->apps[i]);
	}
}
