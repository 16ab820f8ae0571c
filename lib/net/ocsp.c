/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

/* --- the question --- */

char *
ocsp_responder(X509 *cert)
{
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);
	char *out = NULL;

	for (int i = 0; out == NULL && i < sk_OPENSSL_STRING_num(urls); i++) {
		struct str url = str_z(sk_OPENSSL_STRING_value(urls, i));

		if (str_has_prefix(url, STR("http://")) || str_has_prefix(url, STR("https://")))
			out = strndup(url.p, url.n);
	}
	X509_email_free(urls);
	return out;
}

/* OpenSSL takes what is to be sent as if it might change it. */
static bool
add_nonce(OCSP_REQUEST *req, struct str nonce)
{
	return nonce.n == 0 ||
	       OCSP_request_add1_nonce(req, (unsigned char *)(uintptr_t)nonce.p, (int)nonce.n) == 1;
}

bool
ocsp_request(X509 *cert, X509 *issuer, struct str nonce, struct buf *out)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	/* SHA-1 only names the certificate here; every responder knows it (RFC 5019, 2.1.1). */
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, issuer);
	unsigned char *der = NULL;
	int n = -1;
	bool ok;

	if (req != NULL && id != NULL && OCSP_request_add0_id(req, id) != NULL) {
		id = NULL; /* is the request's */
		if (add_nonce(req, nonce))
			n = i2d_OCSP_REQUEST(req, &der);
	}
	ok = n > 0 && buf_put(out, str_of((char *)der, (size_t)n));
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(req);
	ERR_clear_error();
	return ok;
}

/* --- the answer --- */

/* The part of the response that is about cert; its names are hashed as the responder likes. */
static OCSP_SINGLERESP *
find(OCSP_BASICRESP *basic, X509 *cert, X509 *issuer)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		OCSP_CERTID *theirs = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one), *ours;
		ASN1_OBJECT *algorithm = NULL;
		const EVP_MD *md;
		bool same;

		OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, theirs);
		md = EVP_get_digestbyobj(algorithm);
		ours = md != NULL ? OCSP_cert_to_id(md, cert, issuer) : NULL;
		same = ours != NULL && OCSP_id_cmp(ours, theirs) == 0;
		OCSP_CERTID_free(ours);
		if (same)
			return one;
	}
	return NULL;
}

/* Trusts nothing but the issuer, so only it or what it has certified can have signed. */
static enum err
verify(OCSP_BASICRESP *basic, X509 *issuer, int64_t at)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *known = sk_X509_new_null();
	enum err err = ERR_MEMORY;

	if (store != NULL && known != NULL && X509_STORE_add_cert(store, issuer) == 1 &&
	    sk_X509_push(known, issuer) > 0) {
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at);
		err = OCSP_basic_verify(basic, known, store, OCSP_NOEXPLICIT) == 1
			  ? OK
			  : ERR_OCSP_SIGNATURE;
	}
	sk_X509_free(known);
	X509_STORE_free(store);
	return err;
}

static bool
seconds(const ASN1_GENERALIZEDTIME *t, int64_t *out)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out = timegm(&tm);
	return true;
}

/* Whether the response answers our question: its nonce, if any, is an OCTET STRING of what we sent.
 */
static bool
nonce_fits(OCSP_BASICRESP *basic, struct str nonce)
{
	int at = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1);
	const ASN1_OCTET_STRING *value;
	struct str theirs;

	if (nonce.n == 0 || at < 0)
		return true;
	value = X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext(basic, at));
	theirs =
	    str_of((const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	return theirs.n == nonce.n + 2 && theirs.p[0] == V_ASN1_OCTET_STRING &&
	       (size_t)theirs.p[1] == nonce.n && str_eq(str_from(theirs, 2), nonce);
}

/* Without nextUpdate newer information is to be had at any time (RFC 6960, 4.2.2.1). */
static enum err
judge_status(OCSP_SINGLERESP *one, int64_t at, int64_t max_age, struct ocsp_span *span)
{
	ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
	int status = OCSP_single_get0_status(one, NULL, NULL, &from, &to);

	if (!seconds(from, &span->from))
		return ERR_OCSP_DATES;
	if (to == NULL && max_age > 0)
		span->to = span->from + OCSP_SKEW_S + max_age;
	else if (!seconds(to, &span->to))
		return ERR_OCSP_DATES;
	if (span->from > at + OCSP_SKEW_S || span->to <= at || span->to <= span->from)
		return ERR_OCSP_DATES;
	return status == V_OCSP_CERTSTATUS_GOOD      ? OK
	       : status == V_OCSP_CERTSTATUS_REVOKED ? ERR_OCSP_REVOKED
						     : ERR_OCSP_UNKNOWN;
}

static enum err
judge_signed(OCSP_BASICRESP *basic, X509 *cert, X509 *issuer, int64_t at,
    const struct ocsp_demands *d, struct ocsp_span *span)
{
	OCSP_SINGLERESP *one = find(basic, cert, issuer);

	if (!nonce_fits(basic, d->nonce))
		return ERR_OCSP_NONCE;
	return one != NULL ? judge_status(one, at, d->max_age, span) : ERR_OCSP_SUBJECT;
}

enum err
ocsp_judge(struct str der, X509 *cert, X509 *issuer, int64_t at, const struct ocsp_demands *d,
    struct ocsp_span *span)
{
	const unsigned char *p = (const unsigned char *)der.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
	OCSP_BASICRESP *basic = NULL;
	enum err err = ERR_OCSP_SYNTAX;

	*span = (struct ocsp_span){ 0 };
	if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	if (basic != NULL)
		err = verify(basic, issuer, at);
	if (err == OK)
		err = judge_signed(basic, cert, issuer, at, d, span);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return err;
}
