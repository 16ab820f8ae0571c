/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "regsvc/certs_int.h"
#include "regsvc/series.h"

/* --- single ones --- */

struct cert *
certs_find(struct certs *c, struct str fingerprint)
{
	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (str_eq(str_z(x->c.fingerprint), fingerprint))
			return x;
	}
	return NULL;
}

/* The caller says where it comes from, then begins to judge it. */
struct cert *
certs_add(struct certs *c, struct certs_cert *from)
{
	struct cert *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->all = c;
	x->c = *from;
	x->why = ERR_COUNT;
	*from = (struct certs_cert){ 0 };
	list_append(&c->certs, &x->node);
	return x;
}

void
certs_drop(struct cert *x)
{
	cert_end(x);
	list_remove(&x->node);
	certs_changed(x->all);
	certs_cert_fini(&x->c);
	free(x->x5u);
	free(x->label);
	free(x);
}

static bool
set_text(char **at, const char *text)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	if (text != NULL && copy == NULL)
		return false;
	free(*at);
	*at = copy;
	return true;
}

/* Other issuers may have come along, with which it is judged anew. */
static void
take_chain(struct cert *x, struct certs_cert *from)
{
	if (strcmp(x->c.pem, from->pem) == 0)
		return;
	cert_end(x);
	certs_cert_fini(&x->c);
	x->c = *from;
	*from = (struct certs_cert){ 0 };
	cert_begin(x);
}

bool
certs_enter(struct certs *c, struct certs_cert *from, const char *x5u, const char *label)
{
	struct cert *x = certs_find(c, str_z(from->fingerprint));
	bool known = x != NULL;

	if (!known)
		x = certs_add(c, from);
	if (x == NULL || !set_text(&x->x5u, x5u) || !set_text(&x->label, label))
		return false;
	x->registered = true;
	if (known)
		take_chain(x, from);
	else
		cert_begin(x);
	certs_changed(c);
	return true;
}

void
certs_leave(struct cert *x)
{
	x->registered = false;
	free(x->x5u);
	free(x->label);
	x->x5u = x->label = NULL;
	certs_changed(x->all);
}

void
certs_reap(struct certs *c)
{
	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (!x->registered && !x->vzd && !x->erase)
			certs_drop(x);
	}
}

/* --- what the store holds --- */

static bool
merge_vzd(struct certs *c, struct certs_record *r)
{
	struct cert *x = certs_find(c, str_z(r->cert.fingerprint));
	bool known = x != NULL;

	if (!known)
		x = certs_add(c, &r->cert);
	if (x == NULL)
		return false;
	x->found[false] = true;
	/* what the VZD gave us and the store has not got yet is newer */
	if (!known || !c->dirty) {
		x->vzd = true;
		x->gone = r->gone;
	}
	if (!known)
		cert_begin(x);
	return true;
}

static bool
merge_one(struct certs *c, struct certs_record *r)
{
	char fingerprint[CERTS_FINGERPRINT + 1];

	if (!r->registered)
		return merge_vzd(c, r);
	memcpy(fingerprint, r->cert.fingerprint, sizeof(fingerprint));
	if (!certs_enter(c, &r->cert, r->x5u, r->label))
		return false;
	certs_find(c, str_z(fingerprint))->found[true] = true;
	return true;
}

void
certs_merge(void *arg, struct certs_record *records, size_t n)
{
	struct certs *c = arg;
	bool ok = true;

	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);

		x->found[false] = x->found[true] = false;
	}
	for (size_t i = 0; i < n; i++)
		ok = merge_one(c, &records[i]) && ok;
	if (!ok)
		log_error("passport certificates: not all were read: out of memory");
	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (x->registered && !x->found[true] && ok)
			certs_leave(x);
		if (!c->dirty && ok)
			x->vzd = x->found[false];
	}
	certs_reap(c);
	c->loaded = true;
	certs_changed(c);
}

/* --- what the VZD gives --- */

static enum err
give_one(struct certs *c, struct str pem)
{
	struct certs_cert cert;
	enum err err = certs_cert_read(pem, &cert);
	struct cert *x;

	if (err != OK)
		return err;
	x = certs_find(c, str_z(cert.fingerprint));
	if (x == NULL && (x = certs_add(c, &cert)) != NULL)
		cert_begin(x);
	certs_cert_fini(&cert);
	if (x == NULL)
		return ERR_MEMORY;
	if (!x->vzd || x->gone != 0)
		certs_vzd_keep(c);
	x->found[false] = true;
	x->vzd = true;
	x->erase = false;
	x->gone = 0;
	return OK;
}

static void
miss(struct certs *c, struct cert *x)
{
	x->gone = clock_wall_s();
	certs_vzd_keep(c);
	log_info("passport certificate no longer given by the VZD: sha256=%.16s; passport.overlap "
		 "begins",
	    x->c.fingerprint);
}

void
certs_given(struct certs *c, const struct str *pems, size_t n)
{
	size_t max = (size_t)c->cfg.conf->max_vzd, bad = 0;

	LIST_FOR(node, &c->certs)
		LIST_ENTRY(node, struct cert, node)->found[false] = false;
	if (n > max)
		log_error("passport certificates: the VZD gives %zu, of which the first %zu are "
			  "taken; raise passport.max_vzd",
		    n, max);
	for (size_t i = 0; i < n; i++) {
		enum err err = i < max ? give_one(c, pems[i]) : ERR_CERTS_FULL;

		bad += err != OK;
		if (err != OK && err != ERR_CERTS_FULL)
			log_error("passport certificate of the VZD cannot be read: number=%zu "
				  "reason=%s: %s; report it to the VZD's operator",
			    i + 1, err_name(err), err_text(err));
	}
	metrics_add(S_PASSPORT_DROPPED, (int64_t)bad);
	/* what is missing may be among those that cannot be read */
	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (x->vzd && !x->found[false] && x->gone == 0 && bad == 0)
			miss(c, x);
	}
	certs_changed(c);
}

clock_ms
certs_sweep(struct certs *c)
{
	int64_t now = clock_wall_s(), overlap = (int64_t)(c->cfg.conf->overlap / 1000), next = 0;

	LIST_FOR(node, &c->certs) {
		struct cert *x = LIST_ENTRY(node, struct cert, node);
		int64_t left = x->gone + overlap - now;

		if (!x->vzd || x->gone == 0)
			continue;
		if (left > 0 && left <= overlap) { /* else the clock was set back */
			next = next == 0 || left < next ? left : next;
			continue;
		}
		x->vzd = false;
		x->erase = true;
		certs_vzd_keep(c);
		certs_changed(c);
	}
	return (clock_ms)next * 1000;
}
