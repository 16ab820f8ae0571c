/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage_certificates - registered PASSporT certificates: added, removed and listed (B-5.4.6).
 */
#include "regsvc/jsonput.h"
#include "regsvc/manage_int.h"

#define LIST_MAX (64 << 20)

static const char *
state_of(const struct certs_entry *e)
{
	if (e->why == OK)
		return "served";
	return e->why == ERR_COUNT ? "not_judged" : err_name(e->why);
}

static bool
put_entry(struct buf *out, const struct certs_entry *e)
{
	char when[CLOCK_TEXT_MAX];

	return buf_put(out, STR("{")) && jsonput_text(out, "fingerprint", str_z(e->fingerprint)) &&
	       jsonput_text(out, "state", str_z(state_of(e))) &&
	       (e->x5u == NULL || jsonput_text(out, "x5u", str_z(e->x5u))) &&
	       (e->label == NULL || jsonput_text(out, "label", str_z(e->label))) &&
	       jsonput_text(out, "not_after", str_z(clock_text(e->not_after * 1000, when))) &&
	       jsonput_end(out);
}

void
manage_certificate_list(struct manage_call *c)
{
	const struct certs_set *set = certs_current(c->manage->certs);
	bool good, first = true;
	struct buf json;

	buf_init(&json, LIST_MAX);
	good = buf_put(&json, STR("{\"certificates\":["));
	for (size_t i = 0; good && i < set->n; i++) {
		if (!set->entries[i].registered)
			continue;
		good = (first || buf_put(&json, STR(","))) && put_entry(&json, &set->entries[i]);
		first = false;
	}
	if (good && buf_put(&json, STR("]}")))
		manage_answer(c, 200, buf_str(&json));
	else
		manage_fail(c, ERR_MEMORY);
	buf_fini(&json);
}

static void
on_done(void *arg, enum err err, const char *fingerprint)
{
	struct manage_call *c = arg;
	struct buf json;

	c->certs_call = NULL;
	if (err == ERR_NOT_FOUND) {
		manage_refuse(c, 404, "no certificate with this fingerprint is registered");
		return;
	}
	if (err != OK) {
		manage_fail(c, err);
		return;
	}
	buf_init(&json, 256);
	if (buf_put(&json, STR("{")) && jsonput_text(&json, "fingerprint", str_z(fingerprint)) &&
	    jsonput_end(&json))
		manage_answer(c, 200, buf_str(&json));
	else
		manage_fail(c, ERR_MEMORY);
	buf_fini(&json);
}

void
manage_certificate_add(struct manage_call *c)
{
	struct str pem = manage_text(c, "pem"), x5u = manage_text(c, "x5u");

	if (pem.n == 0) {
		manage_refuse(c, 400, "pem: the certificate");
		return;
	}
	/* texts of the body end with a NUL: they are JSON strings of the library */
	c->certs_call = certs_register(c->manage->certs, pem, x5u.n > 0 ? x5u.p : NULL,
	    manage_text(c, "label").n > 0 ? manage_text(c, "label").p : "", on_done, c);
	if (c->certs_call == NULL)
		manage_fail(c, ERR_MEMORY);
}

void
manage_certificate_remove(struct manage_call *c)
{
	c->certs_call = certs_remove(c->manage->certs, c->name, on_done, c);
	if (c->certs_call == NULL)
		manage_fail(c, ERR_MEMORY);
}
