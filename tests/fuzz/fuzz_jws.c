/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compact JWS as it comes from outside, with the certificates of its header.  An input that
 * begins with "{" is a header in clear, which is encoded first: the search is blind behind base64.
 */
#include <openssl/ec.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/jose/jws.h"
#include "lib/jose/x5c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(struct arena *a, const struct jws *j)
{
	static X509_STORE *anchors;
	struct x5c_demands demands = {
		.at = 1700000000, .role = "1.2.276.0.76.4.171", .common_name = "x"
	};
	STACK_OF(X509) *certs;
	EVP_PKEY *key;

	if (anchors == NULL)
		anchors = X509_STORE_new();
	demands.anchors = anchors;
	if (j->x5c.n == 0 || x5c_parse(a, j->x5c, &certs) != OK)
		return;
	key = X509_get0_pubkey(sk_X509_value(certs, 0));
	if (key != NULL && jws_verify(j, key) == OK && j->sig_len != sizeof(j->sig))
		abort();
	if (x5c_judge(certs, &demands) == OK) /* nothing leads to no anchor */
		abort();
	(void)x5c_has_role(sk_X509_value(certs, 0), demands.role);
	(void)x5c_has_name(sk_X509_value(certs, 0), demands.common_name);
	(void)x5c_may_sign(sk_X509_value(certs, 0));
	sk_X509_pop_free(certs, X509_free);
}

static struct str
token_of(struct arena *a, struct str header)
{
	static const char rest[] =
	    ".e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAA";
	size_t cap = sodium_base64_encoded_len(header.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *token = arena_bytes(a, cap + sizeof(rest));

	if (token == NULL)
		abort();
	sodium_bin2base64(token, cap, (const unsigned char *)header.p, header.n,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	strcat(token, rest);
	return str_z(token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static EVP_PKEY *keys[2];
	struct str token = { (const char *)data, size };
	struct arena a;
	struct jws j;

	if (keys[0] == NULL) {
		keys[0] = EVP_EC_gen("prime256v1");
		keys[1] = EVP_EC_gen("brainpoolP256r1");
	}
	arena_init(&a, 1 << 20);
	if (size > 0 && data[0] == '{')
		token = token_of(&a, token);
	if (jws_parse(&a, token, &j) == OK) {
		for (size_t i = 0; i < 2; i++)
			if (jws_verify(&j, keys[i]) == OK) /* made a moment ago */
				abort();
		judge(&a, &j);
	}
	arena_fini(&a);
	return 0;
}
