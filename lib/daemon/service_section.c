/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/service_section.h"

#include "lib/daemon/setting.h"
#include "lib/net/certcheck.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)

#define TLS(m) CONF_FIELD(struct service_tls_conf, m)

/* clang-format off */
const struct conf_word service_log_levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { NULL, 0 } };

const struct conf_option service_listener_rows[] = {
	{ "address", CONF_ADDRESS, CONF_FIELD(struct service_listener, address), NULL, 1, 0, CONF_RESTART,
	  "address to accept connections at; port 0 takes any free one" },
	CONF_END
};

const struct conf_option service_tls_rows[] = {
	{ "certificate", CONF_PATH, TLS(certificate), NULL, 1, 4096, CONF_RELOAD,
	  "PEM file of the server's certificate with its chain" },
	{ "key", CONF_PATH, TLS(key), NULL, 1, 4096, CONF_RELOAD, "PEM file of its private key" },
	{ "hosts", CONF_STRINGS, TLS(hosts), NULL, 1, 100, CONF_RELOAD,
	  "host names that clients know the service by" },
	{ "client_ca", CONF_PATHS, TLS(client_ca), "", 0, 16, CONF_RELOAD,
	  "PEM files of the CAs of clients that log in by certificate" },
	{ "tls13", CONF_BOOL, TLS(tls13), "true", 0, 0, CONF_RELOAD, "whether TLS 1.3 is offered besides 1.2" },
	{ "http2", CONF_BOOL, TLS(http2), "true", 0, 0, CONF_RELOAD, "whether HTTP/2 is offered besides HTTP/1.1" },
	{ "ticket_lifetime", CONF_DURATION, TLS(ticket_lifetime), "1h", 60000, SERVICE_DAY, CONF_RESTART,
	  "how long a session may be resumed; its keys rotate as often" },
	CONF_END
};
/* clang-format on */

static void
check_listeners(struct load *l, struct service_conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		struct conf_address *ad = &c->listeners[i].address;

		if (ad->text == NULL)
			continue;
		if (!conf_address_is_ip(ad))
			load_fault(l, ad,
			    "address: '%s' is not an IP address; write 0.0.0.0 or [::] for all of "
			    "them",
			    ad->text);
		for (size_t j = 0; j < i && ad->port != 0; j++)
			if (c->listeners[j].address.text != NULL &&
			    strcmp(c->listeners[j].address.text, ad->text) == 0)
				load_fault(
				    l, ad, "address: '%s' appears twice; remove one", ad->text);
	}
}

static void
check_hosts(struct load *l, struct service_tls_conf *t)
{
	for (size_t i = 0; i < t->hosts.n; i++) {
		if (t->hosts.v[i] == NULL)
			continue;
		for (char *s = t->hosts.v[i]; *s != '\0'; s++)
			*s = str_lower(*s);
		if (setting_is_host(t->hosts.v[i]))
			continue;
		load_fault(l, &t->hosts.v[i],
		    "hosts: '%s' is not a host name; write it without scheme, port and path",
		    t->hosts.v[i]);
		t->hosts.v[i] = NULL;
	}
}

static void
check_limits(struct load *l, struct service_limits *c)
{
	if (c->head_max == 0 || c->target_max < c->head_max)
		return; /* 0: it has its fault already */
	load_fault(l, load_given(l, &c->target_max) ? &c->target_max : &c->head_max,
	    "target_max must be below head_max; lower the one or raise the other");
}

void
service_check(struct load *l, struct service_conf *c)
{
	if (c->test_mode)
		log_warn("%s: test_mode is on: self-signed certificates are accepted; never in "
			 "production",
		    c->path);
	check_listeners(l, c);
	setting_admin(l, &c->admin, c->state_dir);
	check_hosts(l, &c->tls);
	check_limits(l, &c->limits);
}

/* --- files --- */

struct finding {
	struct load *load;
	struct service_tls_conf *tls;
};

static void
on_finding(void *arg, bool fatal, enum certcheck_part part, size_t host, const char *text)
{
	struct finding *f = arg;
	const void *field = &f->tls->certificate;

	if (!fatal) {
		log_warn("%s", text);
		return;
	}
	if (part == CERTCHECK_KEY)
		field = &f->tls->key;
	else if (part == CERTCHECK_HOST)
		field = &f->tls->hosts.v[host];
	load_fault(f->load, field, "%s: %s", part == CERTCHECK_KEY ? "key" : "certificate", text);
}

static void
judge_certificate(struct load *l, bool test_mode, struct service_tls_conf *t)
{
	struct finding finding = { l, t };
	struct certcheck check = {
		.chain_file = t->certificate,
		.key_file = t->key,
		.chain_pem = t->certificate_pem,
		.key_pem = t->key_pem,
		.hosts = (const char *const *)t->hosts.v,
		.n_hosts = t->hosts.n,
		.now = clock_wall_s(),
		.test_mode = test_mode,
	};
	bool good = certcheck_judge(&check, on_finding, &finding, &t->not_after);

	(void)good; /* every fatal finding has become a fault */
}

void
service_files(struct load *l, struct service_conf *c)
{
	struct service_tls_conf *t = &c->tls;
	bool complete =
	    setting_file(l, "certificate", &t->certificate, CERTIFICATE_MAX, &t->certificate_pem);

	for (size_t i = 0; i < t->hosts.n; i++)
		complete = complete && t->hosts.v[i] != NULL;
	if (setting_file(l, "key", &t->key, KEY_MAX, &t->key_pem)) {
		setting_private(l, c->test_mode, "key", &t->key);
		if (complete)
			judge_certificate(l, c->test_mode, t);
	}
	t->client_anchors = setting_anchors(l, &t->client_ca);
}

void
service_files_fini(struct service_conf *c)
{
	setting_wipe(c->tls.key_pem);
	X509_STORE_free(c->tls.client_anchors);
}
