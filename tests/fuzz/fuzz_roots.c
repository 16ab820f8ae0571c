/* SPDX-License-Identifier: Apache-2.0 */
/* A roots.json as it is downloaded.  Nothing of an input is signed by the pinned root, which is
 * made on the spot, so whatever would be trusted is a fault. */
#include <stdlib.h>

#include "lib/trust/roots.h"
#include "tests/unit/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static STACK_OF(X509) *
pin(void)
{
	const struct pki_certificate want = { .common_name = "GEM.RCA1 TEST-ONLY", .is_ca = true };
	STACK_OF(X509) *out = sk_X509_new_null();
	EVP_PKEY *key = pki_key(PKI_BRAINPOOL);

	if (out == NULL || sk_X509_push(out, pki_certificate(key, &want)) <= 0)
		abort();
	EVP_PKEY_free(key);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static STACK_OF(X509) *pinned;
	STACK_OF(X509) *linked;
	enum err err;

	if (pinned == NULL)
		pinned = pin();
	err = roots_link(str_of((const char *)data, size), pinned, 1800000000, &linked);
	if ((err == OK) != (linked != NULL) || (linked != NULL && sk_X509_num(linked) > 0))
		abort();
	sk_X509_free(linked);
	return 0;
}
