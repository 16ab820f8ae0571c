/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x5c - OpenSSL builds and checks the chain; what it has no notion of (who may sign a list) is
 * checked on the signer here.
 *
 * Purpose "any" because nothing of TLS applies to these certificates; security level 2 because
 * without one OpenSSL would follow chains over SHA-1 and short keys.
 */
#include "lib/jose/x5c.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/base64.h"
#include "lib/jose/claims.h"

#define AUTH_LEVEL 2 /* 112 bits: RSA from 2048, EC from 224, no SHA-1 */

/* Appends; the certificate is the list's in any case. */
static enum err
push(STACK_OF(X509) *certs, X509 *cert)
{
	if (sk_X509_push(certs, cert) > 0)
		return OK;
	X509_free(cert);
	return ERR_MEMORY;
}

enum err
x5c_certificate(struct arena *a, struct str text, X509 **out)
{
	char *base64 = arena_bytes(a, text.n + 1);
	unsigned char *der = (unsigned char *)arena_bytes(a, BASE64_DECODED_MAX(text.n));
	const unsigned char *end = der;
	size_t n = 0;

	*out = NULL;
	if (base64 == NULL || der == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && text.p[i] != '\r')
			base64[n++] = text.p[i];
	if (!base64_decode(str_of(base64, n), der, BASE64_DECODED_MAX(text.n), &n) || n > LONG_MAX)
		return ERR_X5C_SYNTAX;
	*out = d2i_X509(NULL, &end, (long)n);
	ERR_clear_error();
	if (*out == NULL)
		return ERR_X5C_SYNTAX;
	if (end != der + n) { /* something behind it */
		X509_free(*out);
		*out = NULL;
		return ERR_X5C_SYNTAX;
	}
	return OK;
}

static enum err
parse_all(struct arena *a, const struct claims *list, STACK_OF(X509) *certs)
{
	size_t n = claims_elements(list);
	enum err err = n > 0 && n <= X5C_MAX ? OK : ERR_X5C_SYNTAX;

	for (size_t i = 0; i < n && err == OK; i++) {
		struct str text;
		X509 *cert;

		err = claims_text(claims_at(list, i), &text) ? x5c_certificate(a, text, &cert)
							     : ERR_X5C_SYNTAX;
		if (err == OK)
			err = push(certs, cert);
	}
	return err;
}

enum err
x5c_parse(struct arena *a, struct str x5c, STACK_OF(X509) **out)
{
	struct claims *list = claims_read_array(x5c);
	STACK_OF(X509) *certs = sk_X509_new_null();
	enum err err = ERR_MEMORY;

	*out = NULL;
	if (certs != NULL)
		err = list != NULL ? parse_all(a, list, certs) : ERR_X5C_SYNTAX;
	claims_free(list);
	if (err != OK) {
		sk_X509_pop_free(certs, X509_free);
		return err;
	}
	*out = certs;
	return OK;
}

bool
x5c_may_sign(X509 *cert)
{
	return (X509_get_extension_flags(cert) & EXFLAG_KUSAGE) != 0 &&
	       (X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE) != 0;
}

bool
x5c_has_name(X509 *cert, const char *common_name)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), n;
	unsigned char *utf8 = NULL;
	bool same;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	same = n >= 0 && str_eq(str_of((char *)utf8, (size_t)n), str_z(common_name));
	OPENSSL_free(utf8);
	return same;
}

static bool
admissions_list(const ADMISSION_SYNTAX *syntax, const ASN1_OBJECT *role)
{
	const STACK_OF(ADMISSIONS) *all = ADMISSION_SYNTAX_get0_contentsOfAdmissions(syntax);

	for (int i = 0; i < sk_ADMISSIONS_num(all); i++) {
		const PROFESSION_INFOS *infos =
		    ADMISSIONS_get0_professionInfos(sk_ADMISSIONS_value(all, i));

		for (int j = 0; j < sk_PROFESSION_INFO_num(infos); j++) {
			const STACK_OF(ASN1_OBJECT) *oids =
			    PROFESSION_INFO_get0_professionOIDs(sk_PROFESSION_INFO_value(infos, j));

			for (int k = 0; k < sk_ASN1_OBJECT_num(oids); k++)
				if (OBJ_cmp(sk_ASN1_OBJECT_value(oids, k), role) == 0)
					return true;
		}
	}
	return false;
}

bool
x5c_has_role(X509 *cert, const char *oid)
{
	ASN1_OBJECT *role = OBJ_txt2obj(oid, 1);
	ADMISSION_SYNTAX *syntax = X509_get_ext_d2i(cert, NID_x509ExtAdmission, NULL, NULL);
	bool has = role != NULL && syntax != NULL && admissions_list(syntax, role);

	ADMISSION_SYNTAX_free(syntax);
	ASN1_OBJECT_free(role);
	ERR_clear_error();
	return has;
}

/* A date of a certificate in seconds since the epoch; `none` if it cannot be read. */
static int64_t
seconds(const ASN1_TIME *t, int64_t none)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : none;
}

static void
narrow(struct x5c_span *span, X509 *cert)
{
	int64_t from = seconds(X509_get0_notBefore(cert), INT64_MAX);
	int64_t to = seconds(X509_get0_notAfter(cert), INT64_MIN);

	span->from = from > span->from ? from : span->from;
	span->to = to < span->to ? to : span->to;
}

static struct x5c_span
span_of(STACK_OF(X509) *certs)
{
	struct x5c_span span = { INT64_MIN, INT64_MAX };

	for (int i = 0; i < sk_X509_num(certs); i++)
		narrow(&span, sk_X509_value(certs, i));
	return span;
}

static enum err
verify_failure(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return ERR_X5C_VALIDITY;
	case X509_V_ERR_OUT_OF_MEM:
		return ERR_MEMORY;
	default:
		return ERR_X5C_CHAIN;
	}
}

enum err
x5c_build(STACK_OF(X509) *certs, X509_STORE *anchors, int64_t at, struct x5c_span *valid,
    STACK_OF(X509) **chain)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	struct x5c_span leaf = { INT64_MIN, INT64_MAX };
	X509_VERIFY_PARAM *param;
	enum err err = ERR_MEMORY;

	if (chain != NULL)
		*chain = NULL;
	narrow(&leaf, sk_X509_value(certs, 0));
	if (ctx == NULL || X509_STORE_CTX_init(ctx, anchors, sk_X509_value(certs, 0), certs) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)at);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	if (X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1 ||
	    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		goto out;
	if (at < leaf.from || at > leaf.to) {
		err = ERR_X5C_VALIDITY;
	} else if (X509_verify_cert(ctx) == 1) {
		err = OK;
		if (valid != NULL)
			*valid = span_of(X509_STORE_CTX_get0_chain(ctx));
		if (chain != NULL && (*chain = X509_STORE_CTX_get1_chain(ctx)) == NULL)
			err = ERR_MEMORY;
	} else {
		err = verify_failure(X509_STORE_CTX_get_error(ctx));
	}
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return err;
}

enum err
x5c_chain(STACK_OF(X509) *certs, X509_STORE *anchors, int64_t at, struct x5c_span *valid)
{
	return x5c_build(certs, anchors, at, valid, NULL);
}

enum err
x5c_demand(X509 *signer, const struct x5c_demands *d)
{
	if (!x5c_may_sign(signer))
		return ERR_X5C_USAGE;
	if ((d->role != NULL && !x5c_has_role(signer, d->role)) ||
	    (d->common_name != NULL && !x5c_has_name(signer, d->common_name)))
		return ERR_X5C_ROLE;
	return OK;
}

enum err
x5c_judge(STACK_OF(X509) *certs, const struct x5c_demands *d)
{
	X509 *signer = sk_X509_value(certs, 0);
	enum err err;

	if (signer == NULL)
		return ERR_X5C_SYNTAX;
	err = x5c_chain(certs, d->anchors, d->at, NULL);
	return err == OK ? x5c_demand(signer, d) : err;
}

/* Certificates are not encrypted, and a daemon asks nobody for a password. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static enum err
read_certificates(FILE *f, STACK_OF(X509) *certs)
{
	unsigned long last;
	enum err err = OK;
	X509 *cert;

	while (err == OK && (cert = PEM_read_X509(f, NULL, no_password, NULL)) != NULL)
		err = push(certs, cert);
	if (ferror(f))
		return ERR_FILE;
	last = ERR_peek_last_error(); /* a damaged certificate does not end in "no start line" */
	ERR_clear_error();
	if (err == OK && (sk_X509_num(certs) == 0 || ERR_GET_LIB(last) != ERR_LIB_PEM ||
			     ERR_GET_REASON(last) != PEM_R_NO_START_LINE))
		err = ERR_X5C_SYNTAX;
	return err;
}

/* Takes f, which may be NULL: errno says why. */
static STACK_OF(X509) *
read_pem(FILE *f, enum err *why)
{
	STACK_OF(X509) *certs = sk_X509_new_null();

	ERR_clear_error();
	if (f == NULL)
		*why = ERR_FILE;
	else
		*why = certs != NULL ? read_certificates(f, certs) : ERR_MEMORY;
	if (f != NULL) {
		int saved = errno;

		fclose(f);
		errno = saved;
	}
	if (*why == OK)
		return certs;
	sk_X509_pop_free(certs, X509_free);
	return NULL;
}

STACK_OF(X509) *
x5c_read_pem(const char *file, enum err *why)
{
	return read_pem(fopen(file, "re"), why);
}

STACK_OF(X509) *
x5c_parse_pem(struct str pem, enum err *why)
{
	STACK_OF(X509) *certs;

	*why = ERR_X5C_SYNTAX;
	if (pem.n == 0)
		return NULL;
	certs = read_pem(fmemopen((char *)(uintptr_t)pem.p, pem.n, "r"), why);
	if (*why == ERR_FILE)
		*why = ERR_MEMORY;
	return certs;
}

static enum err
add_file(X509_STORE *store, const char *file)
{
	enum err err;
	STACK_OF(X509) *certs = x5c_read_pem(file, &err);

	for (int i = 0; certs != NULL && i < sk_X509_num(certs) && err == OK; i++)
		if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
			err = ERR_MEMORY;
	sk_X509_pop_free(certs, X509_free);
	return err;
}

X509_STORE *
x5c_anchors(const char *const *pem_files, size_t n, enum err *why)
{
	X509_STORE *store = X509_STORE_new();

	*why = store != NULL ? OK : ERR_MEMORY;
	for (size_t i = 0; i < n && *why == OK; i++)
		*why = add_file(store, pem_files[i]);
	if (*why == OK)
		return store;
	X509_STORE_free(store);
	return NULL;
}
