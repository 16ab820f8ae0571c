/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/credential.h"

#include "lib/base/base64.h"

#define CREDENTIAL_MAX 8192

/* Both schemes are compared in any case (RFC 9110 11.1). */
static bool
cut_scheme(struct str value, struct str scheme, struct str *rest)
{
	if (value.n <= scheme.n || !str_eq_ci(str_of(value.p, scheme.n), scheme) ||
	    value.p[scheme.n] != ' ')
		return false;
	*rest = str_trim(str_from(value, scheme.n));
	return true;
}

/* The password of a Basic credential (RFC 7617). */
static struct str
password(struct arena *a, struct str coded)
{
	struct str user, secret;
	size_t n;
	char *out;

	if (coded.n == 0 || coded.n > CREDENTIAL_MAX)
		return STR_NONE;
	out = arena_bytes(a, BASE64_DECODED_MAX(coded.n));
	if (out == NULL || !base64_decode(coded, out, BASE64_DECODED_MAX(coded.n), &n) ||
	    !str_cut(str_of(out, n), ':', &user, &secret))
		return STR_NONE;
	return secret;
}

const struct service_conf *
credential_service(struct arena *a, const struct proxy_conf *conf, const struct h1_head *req)
{
	const struct h1_field *f = h1_only(req, H1_F_PROXY_AUTHORIZATION);
	struct str secret = STR_NONE, coded;

	if (f == NULL)
		return NULL;
	if (cut_scheme(f->value, STR("Basic"), &coded))
		secret = password(a, coded);
	else if (!cut_scheme(f->value, STR("Bearer"), &secret))
		return NULL;
	return secret.n > 0 ? proxy_conf_service_by_secret(conf, secret) : NULL;
}
