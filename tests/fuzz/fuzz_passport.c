/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PASSporT.  An input that begins with "{" is a header, a line feed and a payload, and is signed
 * with the key of the store, so that what lies behind the signature is reached; any other is a
 * token.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "proxy/passport.h"
#include "tests/unit/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static struct passport_trust *trust;

static void
setup(void)
{
	struct passport_certificate files[2];
	char path[] = "/tmp/fuzz-passport-XXXXXX";
	X509_STORE *anchors;
	enum err why;
	X509 *cert;
	int fd = mkstemp(path);

	if (fd < 0)
		abort();
	close(fd);
	log_threshold = LOG_ERROR;
	key = pki_key(PKI_P256);
	cert = pki_certificate(key, &(struct pki_certificate){ 0 });
	anchors = pki_store(cert);
	pki_write_pem(path, &cert, 1);
	files[0] = (struct passport_certificate){ path, "https://reg.example.org/passport.pem" };
	files[1] = (struct passport_certificate){ path, NULL };
	trust = passport_trust_new(files, 2, anchors, &why);
	if (trust == NULL)
		abort();
	unlink(path);
	X509_STORE_free(anchors);
	X509_free(cert);
}

static char *
sign(struct str input)
{
	struct str head, payload;
	char *header, *token;

	str_cut(input, '\n', &head, &payload);
	header = strndup(head.p, head.n);
	token = pki_jws(key, header, payload);
	free(header);
	return token;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str token = { (const char *)data, size };
	bool is_signed = size > 0 && data[0] == '{';
	struct passport_demands demands = {
		.orig = STR("@alice:tim.klinik.example.org"),
		.dest = STR("@bob:tim.praxis.example.org"),
		.now = clock_wall_s(),
		.max_future_s = 60,
		.iat_optional = true,
	};
	struct arena a;
	char *made = NULL;

	if (trust == NULL)
		setup();
	if (is_signed)
		token = str_z(made = sign(token));
	arena_init(&a, 1 << 20);
	if (passport_verify(&a, trust, token, &demands) == OK && !is_signed)
		abort(); /* nobody else has the key */
	arena_fini(&a);
	free(made);
	return 0;
}
