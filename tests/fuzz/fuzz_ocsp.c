/* SPDX-License-Identifier: Apache-2.0 */
/* An OCSP answer in DER.  The certificate and its issuer are made on the spot, so no input can be a
 * good answer about it. */
#include <stdlib.h>

#include "lib/net/ocsp.h"
#include "tests/unit/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *ca_key;
static X509 *ca, *cert;

static void
make(void)
{
	const struct pki_certificate root = { .common_name = "CA", .is_ca = true };
	struct pki_certificate leaf = { .common_name = "leaf" };

	ca_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key, &root);
	leaf.issuer = ca;
	leaf.issuer_key = ca_key;
	cert = pki_certificate(ca_key, &leaf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ocsp_demands demands = { .nonce = STR("0123456789abcdef"), .max_age = 3600 };
	struct str der = str_of((const char *)data, size);
	struct ocsp_span span;
	enum err err;

	if (cert == NULL)
		make();
	err = ocsp_judge(der, cert, ca, 1800000000, &demands, &span);
	if (err != ERR_OCSP_SYNTAX && err != ERR_OCSP_SIGNATURE)
		abort();
	return 0;
}
