/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/certs_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/jsontext.h"
#include "lib/jose/claims.h"

#define VZD CERTS_PREFIX "vzd:"
#define REGISTERED CERTS_PREFIX "reg:"
#define SECONDS_MAX 1e12

struct str
certs_record_key(bool registered, const char *fingerprint, char out[CERTS_KEY_MAX])
{
	snprintf(out, CERTS_KEY_MAX, "%s%s", registered ? REGISTERED : VZD, fingerprint);
	return str_z(out);
}

static bool
put_member(struct buf *b, const char *name, const char *text)
{
	struct str s = str_z(text);
	size_t n = jsontext_quoted_size(s);
	char *at;

	if (text == NULL)
		return true;
	if (!buf_printf(b, "\"%s\":", name) || (at = buf_reserve(b, n)) == NULL)
		return false;
	jsontext_quote(at, s);
	buf_commit(b, n);
	return buf_put(b, STR(","));
}

bool
certs_record_print(
    const char *pem, const char *x5u, const char *label, int64_t gone, struct buf *out)
{
	return buf_put(out, STR("{")) && put_member(out, "pem", pem) &&
	       put_member(out, "x5u", x5u) && put_member(out, "label", label) &&
	       buf_printf(out, "\"gone\":%lld}", (long long)gone);
}

static bool
read_text(const struct claims *record, const char *name, char **out)
{
	const struct claims *v = claims_get(record, name);
	struct str text;

	if (v == NULL)
		return true;
	*out = claims_text(v, &text) ? strndup(text.p, text.n) : NULL;
	return *out != NULL;
}

static enum err
read_members(const struct claims *record, struct certs_record *r)
{
	struct str pem;
	double gone;
	enum err err;

	if (!claims_text(claims_get(record, "pem"), &pem) ||
	    !claims_number(claims_get(record, "gone"), &gone) || !(gone >= 0 && gone < SECONDS_MAX))
		return ERR_STORE_DAMAGED;
	r->gone = (int64_t)gone;
	if (!read_text(record, "x5u", &r->x5u) || !read_text(record, "label", &r->label))
		return ERR_STORE_DAMAGED;
	err = certs_cert_read(pem, &r->cert);
	return err == OK || err == ERR_MEMORY ? err : ERR_STORE_DAMAGED;
}

enum err
certs_record_read(struct str key, struct str value, struct certs_record *out)
{
	struct claims *record = claims_read_object(value);
	enum err err = ERR_STORE_DAMAGED;
	char own[CERTS_KEY_MAX];

	*out = (struct certs_record){ .registered = str_has_prefix(key, STR(REGISTERED)) };
	if (record != NULL)
		err = read_members(record, out);
	if (err == OK &&
	    !str_eq(certs_record_key(out->registered, out->cert.fingerprint, own), key))
		err = ERR_STORE_DAMAGED;
	claims_free(record);
	if (err != OK)
		certs_record_fini(out);
	return err;
}

void
certs_record_fini(struct certs_record *r)
{
	certs_cert_fini(&r->cert);
	free(r->x5u);
	free(r->label);
	*r = (struct certs_record){ 0 };
}
