/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_files - what the configuration names on disk: read, judged, kept in the snapshot.
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "lib/daemon/setting.h"
#include "lib/jose/x5c.h"
#include "lib/net/certcheck.h"
#include "lib/net/ocsp.h"
#include "lib/net/ticketkeys.h"
#include "proxy/config_check.h"
#include "proxy/passport.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)
#define OCSP_MAX (64 << 10)
#define TICKET_SECRET_MIN 32

struct finding {
	struct load *load;
	struct service_conf *service;
};

static void
on_finding(void *arg, bool fatal, enum certcheck_part part, size_t host, const char *text)
{
	struct finding *f = arg;
	struct service_conf *s = f->service;
	const void *field = &s->certificate;

	if (!fatal) {
		log_warn("%s", text);
		return;
	}
	if (part == CERTCHECK_KEY)
		field = &s->key;
	else if (part == CERTCHECK_HOST && load_given(f->load, &s->hosts.v[host]))
		field = &s->hosts.v[host];
	load_fault(f->load, field, "%s: %s", part == CERTCHECK_KEY ? "key" : "certificate", text);
}

static void
judge_certificate(struct load *l, const struct proxy_conf *c, struct service_conf *s)
{
	struct finding finding = { l, s };
	struct certcheck check = {
		.chain_file = s->certificate,
		.key_file = s->key,
		.chain_pem = s->certificate_pem,
		.key_pem = s->key_pem,
		.hosts = (const char *const *)s->hosts.v,
		.n_hosts = s->hosts.n,
		.now = clock_wall_s(),
		.test_mode = c->test_mode,
	};
	bool good = certcheck_judge(&check, on_finding, &finding, &s->certificate_not_after);

	(void)good; /* every fatal finding has become a fault */
}

static void
read_leaf(struct load *l, struct service_conf *s)
{
	STACK_OF(X509) *chain;
	enum err why = OK;

	chain = x5c_read_pem(s->certificate, &why);
	s->leaf = sk_X509_shift(chain);
	s->issuer = sk_X509_shift(chain);
	sk_X509_pop_free(chain, X509_free);
	if (s->leaf != NULL && s->issuer == NULL)
		load_fault(l, &s->certificate,
		    "certificate: %s holds no chain; OCSP needs the issuer's certificate behind "
		    "that "
		    "of the server",
		    s->certificate);
}

/* What can never become good is a fault; what time may have changed since the file was written is
 * left to the one who staples. */
static void
judge_ocsp(struct load *l, struct service_conf *s, struct str der)
{
	struct ocsp_span span;
	enum err why =
	    ocsp_judge(der, s->leaf, s->issuer, clock_wall_s(), &(struct ocsp_demands){ 0 }, &span);

	if (why == ERR_OCSP_SYNTAX || why == ERR_OCSP_SIGNATURE || why == ERR_OCSP_SUBJECT)
		load_fault(l, &s->ocsp_file,
		    "ocsp_file: %s: %s; fetch it again, or remove the line", s->ocsp_file,
		    err_text(why));
}

static void
demand_responder(struct load *l, struct service_conf *s)
{
	char *url = ocsp_responder(s->leaf);

	if (url == NULL)
		load_fault(l, &s->ocsp,
		    "ocsp: %s names no OCSP responder; set ocsp_url, or ocsp to file or off",
		    s->certificate);
	free(url);
}

static void
read_ocsp(struct load *l, struct service_conf *s)
{
	bool fetch = s->ocsp == OCSP_FETCH;
	struct str der;

	if (s->ocsp_url != NULL && (!fetch || !setting_is_responder(s->ocsp_url)))
		load_fault(l, &s->ocsp_url, "ocsp_url: %s",
		    fetch ? "must be http://host/path or https://host/path, without user"
			  : "needs ocsp: fetch");
	if (s->ocsp_file != NULL && fetch)
		load_fault(l, &s->ocsp_file, "ocsp_file: is not used with ocsp: fetch; remove it");
	if (s->certificate_pem.n == 0 || (!fetch && s->ocsp_file == NULL) || s->ocsp == OCSP_OFF)
		return;
	read_leaf(l, s);
	if (s->issuer == NULL)
		return;
	if (!fetch && setting_file(l, "ocsp_file", &s->ocsp_file, OCSP_MAX, &der))
		judge_ocsp(l, s, der);
	else if (fetch && s->ocsp_url == NULL)
		demand_responder(l, s);
}

static void
read_service(struct load *l, const struct proxy_conf *c, struct service_conf *s)
{
	bool complete =
	    setting_file(l, "certificate", &s->certificate, CERTIFICATE_MAX, &s->certificate_pem);

	for (size_t i = 0; i < s->hosts.n; i++)
		complete = complete && s->hosts.v[i] != NULL;
	if (setting_file(l, "key", &s->key, KEY_MAX, &s->key_pem)) {
		setting_private(l, c->test_mode, "key", &s->key);
		if (complete)
			judge_certificate(l, c, s);
	}
	read_ocsp(l, s);
	config_well_known(l, s);
}

static struct passport_trust *
read_passports(struct load *l, struct federation_conf *f, X509_STORE *anchors)
{
	struct passport_certificate *certs =
	    arena_alloc(&l->scratch, f->n_passport_certs * sizeof(*certs));
	struct passport_trust *trust;
	enum err why = OK;

	if (certs == NULL) {
		load_fault(l, &f->passport_certs, "certificates: out of memory");
		return NULL;
	}
	/* one by one first, so that the fault names the file */
	for (size_t i = 0; i < f->n_passport_certs; i++) {
		struct passport_cert_conf *one = &f->passport_certs[i];

		if (one->file == NULL)
			return NULL;
		certs[i] = (struct passport_certificate){ .file = one->file, .x5u = one->x5u };
		sk_X509_pop_free(x5c_read_pem(one->file, &why), X509_free);
		if (why != OK) {
			setting_pem_fault(l, "file", &one->file, why);
			return NULL;
		}
	}
	trust = passport_trust_new(certs, f->n_passport_certs, anchors, &why);
	if (trust == NULL)
		load_fault(l, &f->passport_certs, "certificates: %s", err_text(why));
	return trust;
}

static void
read_federation(struct load *l, struct federation_conf *f)
{
	f->anchors = setting_anchors(l, &f->list_anchors);
	f->passport_anchor_store = setting_anchors(l, &f->passport_anchors);
	if (f->passport_anchor_store != NULL && f->n_passport_certs > 0)
		f->passports = read_passports(l, f, f->passport_anchor_store);
}

static void
read_tickets(struct load *l, struct proxy_conf *c)
{
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	struct str text;

	setting_secret(
	    l, c->test_mode, "ticket_secret_file", &c->ticket_secret_file, &c->ticket_secret);
	if (c->ticket_secret_file != NULL && c->ticket_secret.p != NULL &&
	    c->ticket_secret.n < TICKET_SECRET_MIN)
		load_fault(l, &c->ticket_secret_file,
		    "ticket_secret_file: %s holds less than %d bytes; make one with: openssl rand "
		    "-base64 48",
		    c->ticket_secret_file, TICKET_SECRET_MIN);
	if (!setting_file(l, "ticket_file", &c->ticket_file, sizeof(keys), &text))
		return;
	setting_private(l, c->test_mode, "ticket_file", &c->ticket_file);
	if (tls_tickets_read(text, keys) == 0)
		load_fault(l, &c->ticket_file,
		    "ticket_file: %s is not one to %d different records of 80 bytes; make one "
		    "with: "
		    "openssl rand 80",
		    c->ticket_file, TLS_TICKET_KEYS);
	/* It is read again whenever it changes: nothing of it stays here. */
	OPENSSL_cleanse(keys, sizeof(keys));
	OPENSSL_cleanse((char *)(uintptr_t)text.p, text.n);
}

void
config_files(struct load *l, struct proxy_conf *c)
{
	setting_ca_file(l, "ca_file", &c->lookups.ca_file);
	redis_section_files(l, &c->redis, c->test_mode);
	read_tickets(l, c);
	for (size_t i = 0; i < c->n_federations; i++) {
		setting_ca_file(l, "ca_file", &c->federations[i].list_ca_file);
		config_regsvc_files(l, c->test_mode, &c->federations[i].regsvc);
		read_federation(l, &c->federations[i]);
	}
	for (size_t i = 0; i < c->n_services; i++)
		read_service(l, c, &c->services[i]);
	config_outbound_files(l, c);
}

void
config_files_fini(struct proxy_conf *c)
{
	redis_section_fini(&c->redis);
	setting_wipe(c->ticket_secret);
	config_outbound_fini(c);
	for (size_t i = 0; i < c->n_services; i++) {
		setting_wipe(c->services[i].key_pem);
		X509_free(c->services[i].leaf);
		X509_free(c->services[i].issuer);
	}
	for (size_t i = 0; i < c->n_federations; i++) {
		config_regsvc_fini(&c->federations[i].regsvc);
		X509_STORE_free(c->federations[i].anchors);
		X509_STORE_free(c->federations[i].passport_anchor_store);
		snapshot_drop((struct snapshot *)c->federations[i].passports);
	}
}
