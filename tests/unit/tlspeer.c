/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tlspeer.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

static X509 *
read_certificate(BIO *bio)
{
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	cr_assert_not_null(x);
	return x;
}

struct address
tlspeer_loopback(unsigned short port)
{
	struct address a;

	cr_assert(address_parse(STR("127.0.0.1"), port, &a));
	return a;
}

void
tlspeer_open(struct tlspeer *p, const struct tlscert *want)
{
	char *chain, *key;
	unsigned short port;
	BIO *certificates, *secret;
	X509 *leaf, *ca;
	EVP_PKEY *pkey;

	tlscert_make(want, &chain, &key);
	certificates = BIO_new_mem_buf(chain, -1);
	secret = BIO_new_mem_buf(key, -1);
	leaf = read_certificate(certificates);
	ca = want->self_signed ? NULL : read_certificate(certificates);
	pkey = PEM_read_bio_PrivateKey(secret, NULL, NULL, NULL);
	p->ctx = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate(p->ctx, leaf), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(p->ctx, pkey), 1);
	p->anchors = X509_STORE_new();
	if (ca != NULL)
		cr_assert_eq(X509_STORE_add_cert(p->anchors, ca), 1);
	p->listener = lab_listen(&port);
	p->at = tlspeer_loopback(port);
	EVP_PKEY_free(pkey);
	X509_free(leaf);
	X509_free(ca);
	BIO_free(certificates);
	BIO_free(secret);
	free(chain);
	free(key);
}

void
tlspeer_close(struct tlspeer *p)
{
	SSL_CTX_free(p->ctx);
	X509_STORE_free(p->anchors);
	if (p->listener >= 0)
		close(p->listener);
	*p = (struct tlspeer){ .listener = -1 };
}

void
tlspeer_secure(struct tlspeer *p, struct lab_end *far)
{
	far->ssl = SSL_new(p->ctx);
	cr_assert_not_null(far->ssl);
	SSL_set_fd(far->ssl, far->fd);
	SSL_set_accept_state(far->ssl);
}

bool
tlspeer_accepted(struct tlspeer *p, struct lab_end *far)
{
	if (!lab_accepted(p->listener, far))
		return false;
	tlspeer_secure(p, far);
	return true;
}
