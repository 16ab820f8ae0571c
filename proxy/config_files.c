/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_files - what the configuration names on disk: read, judged, kept in the snapshot.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/jose/x5c.h"
#include "lib/net/certcheck.h"
#include "lib/net/ocsp.h"
#include "lib/net/ticketkeys.h"
#include "proxy/config_check.h"
#include "proxy/passport.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)
#define OCSP_MAX (64 << 10)
#define SECRET_MAX (4 << 10)
#define TICKET_SECRET_MIN 32

bool
config_read_file(struct load *l, const char *what, char *const *path, size_t max, struct str *out)
{
	struct buf b;
	bool ok = false;

	*out = STR_NONE;
	if (*path == NULL)
		return false;
	buf_init(&b, max);
	if (buf_reserve(&b, max) == NULL) {
		load_fault(l, path, "%s: out of memory", what);
	} else if (fs_read(*path, &b) != 0) {
		load_fault(l, path, "%s: %s cannot be read: %s", what, *path,
		    errno == EFBIG ? "too large" : strerror(errno));
	} else if (buf_len(&b) == 0) {
		load_fault(l, path, "%s: %s is empty", what, *path);
	} else {
		*out = arena_dup(l->ctx.arena, buf_str(&b));
		ok = out->p != NULL;
		if (!ok)
			load_fault(l, path, "%s: %s: out of memory for it", what, *path);
	}
	if (b.mem != NULL)
		OPENSSL_cleanse(b.mem, b.cap);
	buf_fini(&b);
	return ok;
}

/* The fault of a PEM file which lib/jose could not use; errno is still that of the failure. */
static void
pem_fault(struct load *l, const char *what, char *const *path, enum err why)
{
	if (why == ERR_FILE)
		load_fault(l, path, "%s: %s cannot be read: %s", what, *path, strerror(errno));
	else
		load_fault(l, path, "%s: %s: %s; expected a PEM file of certificates", what, *path,
		    err_text(why));
}

static void
demand_private(struct load *l, const struct proxy_conf *c, const char *what, char *const *path)
{
	if (!c->test_mode && fs_is_private(*path) != 1)
		load_fault(l, path,
		    "%s: %s can be read by others; chmod 0600 (or 0640 with the daemon's group)",
		    what, *path);
}

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
	enum err why = ocsp_judge(der, s->leaf, s->issuer, clock_wall_s(), &span);

	if (why == ERR_OCSP_SYNTAX || why == ERR_OCSP_SIGNATURE || why == ERR_OCSP_SUBJECT)
		load_fault(l, &s->ocsp_file,
		    "ocsp_file: %s: %s; fetch it again, or remove the line", s->ocsp_file,
		    err_text(why));
}

static bool
is_responder(const char *url)
{
	return config_is_https(url) ||
	       (strncmp(url, "http://", 7) == 0 && strcspn(url + 7, "@/?#") > 0 &&
		   url[7 + strcspn(url + 7, "@/?#")] != '@');
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

	if (s->ocsp_url != NULL && (!fetch || !is_responder(s->ocsp_url)))
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
	if (!fetch && config_read_file(l, "ocsp_file", &s->ocsp_file, OCSP_MAX, &der))
		judge_ocsp(l, s, der);
	else if (fetch && s->ocsp_url == NULL)
		demand_responder(l, s);
}

static void
read_service(struct load *l, const struct proxy_conf *c, struct service_conf *s)
{
	bool complete = config_read_file(
	    l, "certificate", &s->certificate, CERTIFICATE_MAX, &s->certificate_pem);

	for (size_t i = 0; i < s->hosts.n; i++)
		complete = complete && s->hosts.v[i] != NULL;
	if (config_read_file(l, "key", &s->key, KEY_MAX, &s->key_pem)) {
		demand_private(l, c, "key", &s->key);
		if (complete)
			judge_certificate(l, c, s);
	}
	read_ocsp(l, s);
	config_well_known(l, s);
}

/* The trust anchors in PEM files; NULL after adding a fault at the file to blame, or where one is
 * missing. */
static X509_STORE *
read_anchors(struct load *l, struct conf_list *files)
{
	X509_STORE *store;
	enum err why = OK;

	if (files->n == 0)
		return NULL;
	/* one by one first, so that the fault names the file */
	for (size_t i = 0; i < files->n; i++) {
		if (files->v[i] == NULL)
			return NULL;
		store = x5c_anchors((const char *const *)&files->v[i], 1, &why);
		if (store == NULL) {
			pem_fault(l, "anchors", &files->v[i], why);
			return NULL;
		}
		X509_STORE_free(store);
	}
	store = x5c_anchors((const char *const *)files->v, files->n, &why);
	if (store == NULL)
		load_fault(l, files, "anchors: %s", err_text(why));
	return store;
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
			pem_fault(l, "file", &one->file, why);
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
	X509_STORE *anchors;

	f->anchors = read_anchors(l, &f->list_anchors);
	anchors = read_anchors(l, &f->passport_anchors);
	if (anchors != NULL && f->n_passport_certs > 0)
		f->passports = read_passports(l, f, anchors);
	X509_STORE_free(anchors);
}

/* A CA file only has to be there and readable: it is given to libcurl and OpenSSL by name. */
static void
try_ca_file(struct load *l, const char *what, char *const *path)
{
	X509_STORE *store;
	enum err why = OK;

	if (*path == NULL)
		return;
	store = x5c_anchors((const char *const *)path, 1, &why);
	if (store == NULL)
		pem_fault(l, what, path, why);
	X509_STORE_free(store);
}

/* A secret of one line: an editor's line break at its end is none of it. */
static void
read_secret(struct load *l, const struct proxy_conf *c, const char *what, char *const *path,
    struct str *out)
{
	if (!config_read_file(l, what, path, SECRET_MAX, out))
		return;
	demand_private(l, c, what, path);
	while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
}

static void
read_tickets(struct load *l, struct proxy_conf *c)
{
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	struct str text;

	read_secret(l, c, "ticket_secret_file", &c->ticket_secret_file, &c->ticket_secret);
	if (c->ticket_secret_file != NULL && c->ticket_secret.p != NULL &&
	    c->ticket_secret.n < TICKET_SECRET_MIN)
		load_fault(l, &c->ticket_secret_file,
		    "ticket_secret_file: %s holds less than %d bytes; make one with: openssl rand "
		    "-base64 48",
		    c->ticket_secret_file, TICKET_SECRET_MIN);
	if (!config_read_file(l, "ticket_file", &c->ticket_file, sizeof(keys), &text))
		return;
	demand_private(l, c, "ticket_file", &c->ticket_file);
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
	try_ca_file(l, "ca_file", &c->ca_file);
	try_ca_file(l, "ca_file", &c->redis.ca_file);
	read_secret(l, c, "password_file", &c->redis.password_file, &c->redis.password);
	read_tickets(l, c);
	for (size_t i = 0; i < c->n_federations; i++) {
		try_ca_file(l, "ca_file", &c->federations[i].list_ca_file);
		read_federation(l, &c->federations[i]);
	}
	for (size_t i = 0; i < c->n_services; i++)
		read_service(l, c, &c->services[i]);
}

static void
wipe(struct str secret)
{
	if (secret.n > 0)
		OPENSSL_cleanse((char *)(uintptr_t)secret.p, secret.n);
}

void
config_files_fini(struct proxy_conf *c)
{
	wipe(c->redis.password);
	wipe(c->ticket_secret);
	for (size_t i = 0; i < c->n_services; i++) {
		wipe(c->services[i].key_pem);
		X509_free(c->services[i].leaf);
		X509_free(c->services[i].issuer);
	}
	for (size_t i = 0; i < c->n_federations; i++) {
		X509_STORE_free(c->federations[i].anchors);
		snapshot_drop((struct snapshot *)c->federations[i].passports);
	}
}
