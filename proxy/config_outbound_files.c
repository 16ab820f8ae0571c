/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_outbound_files - the secrets of the way out: who authenticates with them, the CA of
 * tunnels, the credentials for a proxy in between, the anchors of other servers.
 */
#include <openssl/evp.h>
#include <sodium.h>

#include "lib/daemon/setting.h"
#include "lib/net/minter.h"
#include "proxy/config_check.h"

#define SECRET_MIN 16
#define DIGEST 32
#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)

/* --- secrets of homeservers --- */

/* What fits in a field of HTTP. */
static bool
is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
read_secret(struct load *l, bool test_mode, struct way_out_conf *w)
{
	setting_secret(l, test_mode, "secret_file", &w->secret_file, &w->secret);
	if (w->secret.p == NULL)
		return;
	if (!is_visible(w->secret))
		load_fault(l, &w->secret_file,
		    "secret_file: %s must be one line of printable ASCII characters without "
		    "blanks; make one with: openssl rand -hex 32",
		    w->secret_file);
	else if (w->secret.n < SECRET_MIN)
		load_fault(l, &w->secret_file,
		    "secret_file: %s holds less than %d bytes; make one with: openssl rand -hex "
		    "32",
		    w->secret_file, SECRET_MIN);
}

static struct str
digest_of(const struct proxy_conf *c, struct str secret, unsigned char out[DIGEST])
{
	crypto_generichash(out, DIGEST, (const unsigned char *)secret.p, secret.n, c->secret_key,
	    sizeof(c->secret_key));
	return str_of((const char *)out, DIGEST);
}

static void
check_different(struct load *l, const struct proxy_conf *c, size_t at)
{
	const struct way_out_conf *w = &c->services[at].way_out, *o;

	for (size_t i = 0; w->secret.n > 0 && i < at; i++) {
		o = &c->services[i].way_out;
		if (str_eq(w->secret, o->secret))
			load_fault(l, &w->secret_file,
			    "secret_file: %s holds the same as %s of service '%s'; each homeserver "
			    "needs a secret of its own",
			    w->secret_file, o->secret_file,
			    c->services[i].server_name != NULL ? c->services[i].server_name : "?");
	}
}

static void
map_secrets(struct load *l, struct proxy_conf *c)
{
	struct strmap_entry *entries =
	    arena_alloc(l->ctx.arena, c->n_services * sizeof(*entries) + 1);
	unsigned char *digests = arena_alloc(l->ctx.arena, c->n_services * DIGEST + 1);
	size_t n = 0;

	if (entries == NULL || digests == NULL || sodium_init() < 0) {
		load_fault(l, &c->services, "services: out of memory");
		return;
	}
	randombytes_buf(c->secret_key, sizeof(c->secret_key));
	for (size_t i = 0; i < c->n_services; i++) {
		struct str secret = c->services[i].way_out.secret;

		if (secret.n == 0)
			continue;
		entries[n] = (struct strmap_entry){ digest_of(c, secret, digests + n * DIGEST), i };
		n++;
	}
	c->by_secret = strmap_of(entries, n);
}

const struct service_conf *
proxy_conf_service_by_secret(const struct proxy_conf *c, struct str secret)
{
	unsigned char digest[DIGEST];
	size_t i;

	return strmap_find(&c->by_secret, digest_of(c, secret, digest), &i) ? &c->services[i]
									    : NULL;
}

/* --- the forward proxy --- */

static void
read_ca(struct load *l, struct proxy_conf *c)
{
	struct forward_conf *f = &c->forward;
	struct str certificate, key;
	char why[512];

	if (!setting_file(l, "ca_certificate", &f->ca_certificate, CERTIFICATE_MAX, &certificate) ||
	    !setting_file(l, "ca_key", &f->ca_key, KEY_MAX, &key))
		return;
	setting_private(l, c->test_mode, "ca_key", &f->ca_key);
	f->ca = minter_ca_load(certificate, key, why, sizeof(why));
	setting_wipe(key);
	if (f->ca == NULL)
		load_fault(l, &f->ca_certificate, "ca_certificate: %s: %s", f->ca_certificate, why);
	else if (why[0] != '\0')
		log_warn("%s: outbound.ca_certificate: %s: %s", c->path, f->ca_certificate, why);
}

/* "Basic " and the credentials as RFC 7617 has them. */
static void
read_credentials(struct load *l, bool test_mode, struct forward_conf *f)
{
	static const char scheme[] = "Basic ";
	struct str text = STR_NONE;
	size_t n = sizeof(scheme) - 1;
	char *value;

	setting_secret(l, test_mode, "proxy_credentials_file", &f->proxy_credentials_file, &text);
	if (text.p == NULL)
		return;
	if (str_chr(text, ':') == NULL || !is_visible(text)) {
		load_fault(l, &f->proxy_credentials_file,
		    "proxy_credentials_file: %s must be one line, user:password, without blanks",
		    f->proxy_credentials_file);
	} else if ((value = arena_bytes(l->ctx.arena, n + (text.n + 2) / 3 * 4 + 1)) == NULL) {
		load_fault(l, &f->proxy_credentials_file, "proxy_credentials_file: out of memory");
	} else {
		memcpy(value, scheme, n);
		n += (size_t)EVP_EncodeBlock(
		    (unsigned char *)value + n, (const unsigned char *)text.p, (int)text.n);
		f->proxy_authorization = str_of(value, n);
	}
	setting_wipe(text);
}

static bool
has_listener(const struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].kind == LISTEN_OUTBOUND)
			return true;
	return false;
}

void
config_outbound_files(struct load *l, struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_services; i++) {
		read_secret(l, c->test_mode, &c->services[i].way_out);
		check_different(l, c, i);
	}
	map_secrets(l, c);
	read_ca(l, c);
	read_credentials(l, c->test_mode, &c->forward);
	if (!has_listener(c) || !load_ok(l))
		return;
	c->forward.anchors = fetch_anchors(c->lookups.ca_file, c->lookups.ca_system);
	if (c->forward.anchors == NULL)
		load_fault(l, &c->lookups.ca_file,
		    "ca_file: the anchors of other servers' certificates cannot be read; see the "
		    "line above");
}

void
config_outbound_fini(struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_services; i++)
		setting_wipe(c->services[i].way_out.secret);
	setting_wipe(c->forward.proxy_authorization);
	snapshot_drop((struct snapshot *)c->forward.ca);
	X509_STORE_free(c->forward.anchors);
}
