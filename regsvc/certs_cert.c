/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/certs_cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "lib/jose/jws.h"
#include "lib/jose/x5c.h"

/* Certificates are not encrypted, and a daemon asks nobody for a password. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	return -1;
}

/* --- reading --- */

static enum err
read_all(BIO *in, STACK_OF(X509) *chain)
{
	unsigned long last;
	X509 *cert;

	while ((cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
		if (sk_X509_num(chain) == X5C_MAX) {
			X509_free(cert);
			return ERR_X5C_SYNTAX;
		}
		if (sk_X509_push(chain, cert) <= 0) {
			X509_free(cert);
			return ERR_MEMORY;
		}
	}
	last = ERR_peek_last_error(); /* a damaged one does not end in "no start line" */
	if (sk_X509_num(chain) == 0 || ERR_GET_LIB(last) != ERR_LIB_PEM ||
	    ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		return ERR_X5C_SYNTAX;
	return OK;
}

static enum err
read_chain(struct str pem, struct certs_cert *c)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
	enum err err = ERR_MEMORY;

	c->chain = sk_X509_new_null();
	if (in != NULL && c->chain != NULL)
		err = read_all(in, c->chain);
	BIO_free(in);
	return err;
}

/* --- what is in it --- */

static bool
take_date(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

static enum err
look_into(struct certs_cert *c)
{
	X509 *signer = sk_X509_value(c->chain, 0);
	EVP_PKEY *key = X509_get0_pubkey(signer);
	unsigned char digest[CERTS_FINGERPRINT / 2];
	unsigned n = sizeof(digest);

	if (X509_digest(signer, EVP_sha256(), digest, &n) != 1)
		return ERR_MEMORY;
	sodium_bin2hex(c->fingerprint, sizeof(c->fingerprint), digest, sizeof(digest));
	c->es256 = key != NULL && jws_key_fits(JWS_ES256, key);
	return take_date(X509_get0_notBefore(signer), &c->not_before) &&
		       take_date(X509_get0_notAfter(signer), &c->not_after)
		   ? OK
		   : ERR_X5C_SYNTAX;
}

/* --- writing --- */

static char *
text_of(BIO *out)
{
	char *p, *text;
	long n = BIO_get_mem_data(out, &p);

	text = n > 0 ? malloc((size_t)n + 1) : NULL;
	if (text == NULL)
		return NULL;
	memcpy(text, p, (size_t)n);
	text[n] = '\0';
	return text;
}

static enum err
write_chain(struct certs_cert *c)
{
	BIO *out = BIO_new(BIO_s_mem());
	bool ok = out != NULL;

	for (int i = 0; ok && i < sk_X509_num(c->chain); i++)
		ok = PEM_write_bio_X509(out, sk_X509_value(c->chain, i)) == 1;
	if (ok)
		c->pem = text_of(out);
	BIO_free(out);
	return c->pem != NULL ? OK : ERR_MEMORY;
}

enum err
certs_cert_read(struct str pem, struct certs_cert *out)
{
	enum err err;

	*out = (struct certs_cert){ 0 };
	if (pem.n > CERTS_PEM_MAX)
		return ERR_TOO_LARGE;
	if (pem.n == 0)
		return ERR_X5C_SYNTAX;
	ERR_clear_error();
	err = read_chain(pem, out);
	if (err == OK)
		err = look_into(out);
	if (err == OK)
		err = write_chain(out);
	ERR_clear_error();
	if (err != OK)
		certs_cert_fini(out);
	return err;
}

void
certs_cert_fini(struct certs_cert *c)
{
	sk_X509_pop_free(c->chain, X509_free);
	free(c->pem);
	*c = (struct certs_cert){ 0 };
}
