/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/config_check.h"

#include "lib/daemon/setting.h"
#include "lib/net/certcheck.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)

static void
check_listeners(struct load *l, struct regsvc_conf *c)
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
check_hosts(struct load *l, struct regsvc_tls_conf *t)
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

void
config_check(struct load *l, struct regsvc_conf *c)
{
	if (c->test_mode)
		log_warn("%s: test_mode is on: self-signed certificates are accepted; never in "
			 "production",
		    c->path);
	check_listeners(l, c);
	setting_admin(l, &c->admin, c->state_dir);
	check_hosts(l, &c->tls);
	redis_section_check(l, &c->redis, c->test_mode);
	lookup_check(l, &c->lookups);
	vzd_check(l, &c->vzd, &c->list);
	passport_check(l, &c->passport);
	gate_check(l, &c->guard);
	if (load_ok(l) && c->limits.target_max >= c->limits.head_max)
		load_fault(l,
		    load_given(l, &c->limits.target_max) ? &c->limits.target_max
							 : &c->limits.head_max,
		    "target_max must be below head_max; lower the one or raise the other");
}

/* --- files --- */

struct finding {
	struct load *load;
	struct regsvc_tls_conf *tls;
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
judge_certificate(struct load *l, bool test_mode, struct regsvc_tls_conf *t)
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

static void
read_tls(struct load *l, bool test_mode, struct regsvc_tls_conf *t)
{
	bool complete =
	    setting_file(l, "certificate", &t->certificate, CERTIFICATE_MAX, &t->certificate_pem);

	for (size_t i = 0; i < t->hosts.n; i++)
		complete = complete && t->hosts.v[i] != NULL;
	if (setting_file(l, "key", &t->key, KEY_MAX, &t->key_pem)) {
		setting_private(l, test_mode, "key", &t->key);
		if (complete)
			judge_certificate(l, test_mode, t);
	}
	t->client_anchors = setting_anchors(l, &t->client_ca);
}

void
config_files(struct load *l, struct regsvc_conf *c)
{
	read_tls(l, c->test_mode, &c->tls);
	redis_section_files(l, &c->redis, c->test_mode);
	setting_ca_file(l, "ca_file", &c->lookups.ca_file);
	vzd_files(l, c->test_mode, c->lookups.ca_system, &c->vzd, &c->list);
	passport_files(l, &c->passport);
	gate_files(l, c->test_mode, &c->token);
}

void
config_files_fini(struct regsvc_conf *c)
{
	gate_files_fini(&c->token);
	setting_wipe(c->tls.key_pem);
	redis_section_fini(&c->redis);
	X509_STORE_free(c->tls.client_anchors);
	vzd_files_fini(&c->vzd, &c->list);
	passport_files_fini(&c->passport);
}
