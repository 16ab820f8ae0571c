/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/issuers.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/base/percent.h"
#include "lib/fact/backoff.h"
#include "lib/jose/x5c.h"

#define PATH "/ECC/SUB-CA/"
#define FILE_MAX (4 << 20)

struct issuer {
	struct list node;
	struct issuers *all;
	char *name; /* common name */
	X509 *cert; /* NULL: not to be had so far */
	bool good;  /* it chains to a root */
	struct fetch *fetch;
	clock_ms not_before; /* no download before that */
	enum err why;        /* the last one failed */
};

struct issuers {
	const struct trust_ask *ask;
	struct issuers_config cfg;
	X509_STORE *roots; /* one reference */
	char *path;        /* NULL: keep nothing */
	struct list list;  /* oldest first */
	size_t n;
	struct backoff *backoff;
};

/* --- names --- */

char *
issuers_url(const char *base_url, struct str name)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t room = strlen(base_url) + sizeof(PATH) + 3 * name.n + sizeof(".der");
	char *out = name.n > 0 && name.n <= ISSUERS_NAME_MAX ? malloc(room) : NULL, *p;

	if (out == NULL)
		return NULL;
	p = str_put(str_put(out, str_z(base_url)), STR(PATH));
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c == ' ') {
			*p++ = '_';
		} else if (percent_is_plain((char)c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	*str_put(p, STR(".der")) = '\0';
	return out;
}

/* The only common name of a name in UTF-8; freed with free().  NULL: there is none, or several. */
static char *
common_name(X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), n;
	unsigned char *utf8 = NULL;
	char *out = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n > 0 && n <= ISSUERS_NAME_MAX && memchr(utf8, '\0', (size_t)n) == NULL)
		out = strndup((char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
	ERR_clear_error();
	return out;
}

/* --- judging --- */

bool
issuers_collect(const struct issuers *s, STACK_OF(X509) *out)
{
	LIST_FOR(node, &s->list) {
		const struct issuer *i = LIST_ENTRY(node, struct issuer, node);

		if (!i->good)
			continue;
		if (sk_X509_push(out, i->cert) <= 0)
			return false;
		X509_up_ref(i->cert);
	}
	return true;
}

/* Whether the certificate is an authority's and chains to a root, through others if need be. */
static bool
is_good(const struct issuers *s, X509 *cert)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	bool good = false;

	if (certs != NULL && sk_X509_push(certs, cert) > 0) {
		X509_up_ref(cert);
		good = X509_check_ca(cert) == 1 && issuers_collect(s, certs) &&
		       x5c_chain(certs, s->roots, clock_wall_s(), NULL) == OK;
	}
	sk_X509_pop_free(certs, X509_free);
	return good;
}

void
issuers_verify(struct issuers *s, X509_STORE *roots)
{
	X509_STORE_up_ref(roots);
	X509_STORE_free(s->roots);
	s->roots = roots;
	LIST_FOR(node, &s->list)
		LIST_ENTRY(node, struct issuer, node)->good = false;
	LIST_FOR(node, &s->list) {
		struct issuer *i = LIST_ENTRY(node, struct issuer, node);

		i->good = i->cert != NULL && is_good(s, i->cert);
	}
}

/* --- the file --- */

static struct issuer *add(struct issuers *s, char *name);

static void
load(struct issuers *s)
{
	enum err why = OK;
	STACK_OF(X509) *certs = x5c_read_pem(s->path, &why);

	for (int k = 0; k < sk_X509_num(certs); k++) {
		X509 *cert = sk_X509_value(certs, k);
		struct issuer *i = add(s, common_name(X509_get_subject_name(cert)));

		if (i == NULL || i->cert != NULL)
			continue;
		i->cert = cert;
		X509_up_ref(cert);
		i->good = is_good(s, cert);
	}
	sk_X509_pop_free(certs, X509_free);
	if (why != OK && (why != ERR_FILE || errno != ENOENT))
		log_warn("trust %s: the kept %s is not used: reason=%s: %s", s->ask->name, s->path,
		    err_name(why), err_text(why));
}

static void
save(const struct issuers *s)
{
	BIO *out = s->path != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL;
	long n;

	if (out == NULL)
		return;
	LIST_FOR(node, &s->list) {
		const struct issuer *i = LIST_ENTRY(node, struct issuer, node);

		if (i->good)
			PEM_write_bio_X509(out, i->cert);
	}
	n = BIO_get_mem_data(out, &text);
	if (fs_replace(s->path, str_of(text, n > 0 ? (size_t)n : 0), 0640) != 0)
		log_error("trust %s: %s cannot be written: %s; after a restart issuers must be "
			  "downloaded again",
		    s->ask->name, s->path, strerror(errno));
	BIO_free(out);
}

/* --- entries --- */

static void
drop(struct issuer *i)
{
	fetch_cancel(i->fetch);
	list_remove(&i->node);
	i->all->n--;
	X509_free(i->cert);
	free(i->name);
	free(i);
}

/* Makes room for one more: what helps nobody goes first. */
static bool
make_room(struct issuers *s)
{
	if (s->n < s->cfg.max)
		return true;
	LIST_FOR(node, &s->list) {
		struct issuer *i = LIST_ENTRY(node, struct issuer, node);

		if (i->good || i->fetch != NULL)
			continue;
		drop(i);
		return true;
	}
	return false;
}

/* The entry of that name, a new one if need be; takes over the name.  NULL: there is no room. */
static struct issuer *
add(struct issuers *s, char *name)
{
	struct issuer *i;

	if (name == NULL)
		return NULL;
	LIST_FOR(node, &s->list) {
		i = LIST_ENTRY(node, struct issuer, node);
		if (strcmp(i->name, name) == 0) {
			free(name);
			return i;
		}
	}
	i = make_room(s) ? calloc(1, sizeof(*i)) : NULL;
	if (i == NULL) {
		free(name);
		return NULL;
	}
	i->all = s;
	i->name = name;
	i->why = ERR_ISSUER;
	list_append(&s->list, &i->node);
	s->n++;
	return i;
}

/* --- downloads --- */

/* A certificate of the name asked for takes the place of the one before. */
static enum err
take(struct issuer *i, struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);
	bool fits;

	ERR_clear_error();
	if (cert == NULL)
		return ERR_X5C_SYNTAX;
	fits = x5c_has_name(cert, i->name);
	if (!fits || (i->good && !is_good(i->all, cert))) {
		X509_free(cert);
		return ERR_X5C_CHAIN;
	}
	X509_free(i->cert);
	i->cert = cert;
	i->good = is_good(i->all, cert);
	if (!i->good)
		return ERR_X5C_CHAIN;
	save(i->all);
	return OK;
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct issuer *i = arg;
	struct issuers *s = i->all;
	enum err err = ask_judge(r);

	i->fetch = NULL;
	i->why = err != OK ? ERR_ISSUER : ERR_X5C_CHAIN;
	if (err == OK)
		err = take(i, r->body);
	i->not_before = loop_now(s->ask->loop) + s->ask->retry_min;
	if (err == OK) {
		backoff_forget(s->backoff, str_z(i->name));
	} else {
		char *url = issuers_url(s->cfg.base_url, str_z(i->name));

		i->not_before = loop_now(s->ask->loop) + backoff_fail(s->backoff, str_z(i->name));
		ask_count(s->ask, TRUST_DOWNLOAD_FAILED);
		log_warn("trust %s: no issuer: source=%s reason=%s status=%d: %s", s->ask->name,
		    url != NULL ? url : "?", err_name(err), r->status, err_text(err));
		free(url);
	}
	s->cfg.changed(s->cfg.arg);
}

static enum err
download(struct issuer *i)
{
	struct issuers *s = i->all;
	char *url = issuers_url(s->cfg.base_url, str_z(i->name));

	if (url == NULL)
		return ERR_MEMORY;
	i->fetch = ask_start(s->ask, url, STR_NONE, ISSUERS_MAX_BYTES, on_answer, i);
	free(url);
	if (i->fetch == NULL)
		return ERR_MEMORY;
	ask_count(s->ask, TRUST_DOWNLOADED);
	return OK;
}

enum err
issuers_want(struct issuers *s, X509 *of)
{
	struct issuer *i;

	if (s->cfg.base_url == NULL)
		return ERR_X5C_CHAIN;
	i = add(s, common_name(X509_get_issuer_name(of)));
	if (i == NULL)
		return ERR_ISSUER;
	if (i->fetch != NULL)
		return OK;
	return loop_now(s->ask->loop) < i->not_before ? i->why : download(i);
}

/* --- all of them --- */

struct issuers *
issuers_new(const struct trust_ask *ask, const struct issuers_config *cfg, X509_STORE *roots)
{
	struct issuers *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->ask = ask;
	s->cfg = *cfg;
	list_init(&s->list);
	X509_STORE_up_ref(roots);
	s->roots = roots;
	s->backoff = backoff_new(ask->retry_min, ask->retry_max, cfg->max);
	if (s->backoff == NULL ||
	    (cfg->state_dir != NULL &&
		asprintf(&s->path, "%s/trust-%s-issuers.pem", cfg->state_dir, ask->name) < 0)) {
		s->path = NULL;
		issuers_free(s);
		return NULL;
	}
	if (s->path != NULL && cfg->base_url != NULL)
		load(s);
	return s;
}

void
issuers_free(struct issuers *s)
{
	if (s == NULL)
		return;
	LIST_FOR(node, &s->list)
		drop(LIST_ENTRY(node, struct issuer, node));
	backoff_free(s->backoff);
	X509_STORE_free(s->roots);
	free(s->path);
	free(s);
}
