/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pki.h"

#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void
must(bool made)
{
	if (!made) {
		fputs("cannot make test material\n", stderr);
		abort();
	}
}

static void *
made(void *p)
{
	must(p != NULL);
	return p;
}

EVP_PKEY *
pki_key(const char *curve)
{
	return made(EVP_EC_gen(curve));
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = made(X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
	must(X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

/* An admission with one profession: no text, one OID. */
static void
add_role(X509 *cert, const char *oid)
{
	PROFESSION_INFO *info = made(PROFESSION_INFO_new());
	STACK_OF(ASN1_OBJECT) *oids = made(sk_ASN1_OBJECT_new_null());
	PROFESSION_INFOS *infos = made(sk_PROFESSION_INFO_new_null());
	ADMISSIONS *admissions = made(ADMISSIONS_new());
	STACK_OF(ADMISSIONS) *all = made(sk_ADMISSIONS_new_null());
	ADMISSION_SYNTAX *syntax = made(ADMISSION_SYNTAX_new());

	must(sk_ASN1_OBJECT_push(oids, made(OBJ_txt2obj(oid, 1))) > 0);
	PROFESSION_INFO_set0_professionOIDs(info, oids);
	PROFESSION_INFO_set0_professionItems(info, made(sk_ASN1_STRING_new_null()));
	must(sk_PROFESSION_INFO_push(infos, info) > 0);
	ADMISSIONS_set0_professionInfos(admissions, infos);
	must(sk_ADMISSIONS_push(all, admissions) > 0);
	ADMISSION_SYNTAX_set0_contentsOfAdmissions(syntax, all);
	must(X509_add1_ext_i2d(cert, NID_x509ExtAdmission, syntax, 0, 0) == 1);
	ADMISSION_SYNTAX_free(syntax);
}

static void
set_name(X509 *cert, const struct pki_certificate *want)
{
	const char *cn = want->common_name != NULL ? want->common_name : "test";
	X509_NAME *subject = X509_get_subject_name(cert);

	must(X509_NAME_add_entry_by_txt(
		 subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1);
	must(X509_set_issuer_name(
		 cert, want->issuer != NULL ? X509_get_subject_name(want->issuer) : subject) == 1);
}

X509 *
pki_certificate(EVP_PKEY *key, const struct pki_certificate *want)
{
	const char *usage = want->key_usage != NULL ? want->key_usage
			    : want->is_ca           ? "critical,keyCertSign,cRLSign"
						    : "critical,digitalSignature";
	X509 *cert = made(X509_new());
	long serial;

	randombytes_buf(&serial, sizeof(serial));
	X509_set_version(cert, 2);
	ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), serial & 0x7fffffff);
	X509_time_adj_ex(
	    X509_getm_notBefore(cert), want->from_days != 0 ? want->from_days : -1, 0, NULL);
	X509_time_adj_ex(
	    X509_getm_notAfter(cert), want->to_days != 0 ? want->to_days : 30, 0, NULL);
	set_name(cert, want);
	X509_set_pubkey(cert, key);
	add_extension(
	    cert, NID_basic_constraints, want->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (usage[0] != '\0')
		add_extension(cert, NID_key_usage, usage);
	if (want->extended != NULL)
		add_extension(cert, NID_ext_key_usage, want->extended);
	if (want->names != NULL)
		add_extension(cert, NID_subject_alt_name, want->names);
	if (want->role != NULL)
		add_role(cert, want->role);
	must(X509_sign(cert, want->issuer_key != NULL ? want->issuer_key : key, EVP_sha256()) > 0);
	return cert;
}

struct str
pki_ocsp(const struct pki_ocsp *want)
{
	OCSP_BASICRESP *basic = made(OCSP_BASICRESP_new());
	OCSP_CERTID *id = made(OCSP_cert_to_id(EVP_sha1(), want->cert, want->issuer));
	ASN1_TIME *from = made(X509_gmtime_adj(NULL, want->from_s));
	ASN1_TIME *to = want->to_s != 0 ? made(X509_gmtime_adj(NULL, want->to_s)) : NULL;
	X509 *signer = want->signer != NULL ? want->signer : want->issuer;
	unsigned char *der = NULL;
	OCSP_RESPONSE *response;
	int n;

	made(OCSP_basic_add1_status(basic, id, want->status, 0,
	    want->status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, to));
	if (want->nonce.n > 0)
		must(OCSP_basic_add1_nonce(basic, (unsigned char *)(uintptr_t)want->nonce.p,
			 (int)want->nonce.n) == 1);
	must(OCSP_basic_sign(basic, signer, want->signer_key, EVP_sha256(), NULL,
		 signer == want->issuer ? OCSP_NOCERTS : 0) == 1);
	response = made(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic));
	n = i2d_OCSP_RESPONSE(response, &der);
	must(n > 0);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return str_of((char *)der, (size_t)n);
}

X509_STORE *
pki_store(X509 *anchor)
{
	X509_STORE *store = made(X509_STORE_new());

	if (anchor != NULL)
		must(X509_STORE_add_cert(store, anchor) == 1);
	return store;
}

static char *
encode(const void *bytes, size_t n, int variant)
{
	size_t cap = sodium_base64_encoded_len(n, variant);
	char *text = made(malloc(cap));

	return sodium_bin2base64(text, cap, bytes, n, variant);
}

char *
pki_base64(X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	char *text;

	must(n > 0);
	text = encode(der, (size_t)n, sodium_base64_VARIANT_ORIGINAL);
	OPENSSL_free(der);
	return text;
}

void
pki_write_pem(const char *path, X509 *const *certs, size_t n)
{
	FILE *f = made(fopen(path, "w"));

	for (size_t i = 0; i < n; i++)
		must(PEM_write_X509(f, certs[i]) == 1);
	must(fclose(f) == 0);
}

/* r||s, each 32 bytes. */
static void
sign(EVP_PKEY *key, const char *text, unsigned char raw[64])
{
	EVP_MD_CTX *ctx = made(EVP_MD_CTX_new());
	unsigned char der[128];
	const unsigned char *p = der;
	size_t n = sizeof(der);
	ECDSA_SIG *sig;

	must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	must(EVP_DigestSign(ctx, der, &n, (const unsigned char *)text, strlen(text)) == 1);
	sig = made(d2i_ECDSA_SIG(NULL, &p, (long)n));
	must(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32);
	must(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
}

char *
pki_jws(EVP_PKEY *key, const char *header, struct str payload)
{
	char *h = encode(header, strlen(header), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *p = encode(payload.p, payload.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *input = NULL, *token = NULL, *s;
	unsigned char raw[64];

	must(asprintf(&input, "%s.%s", h, p) > 0);
	sign(key, input, raw);
	s = encode(raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	must(asprintf(&token, "%s.%s", input, s) > 0);
	free(h);
	free(p);
	free(s);
	free(input);
	return token;
}

char *
pki_list_header(const char *alg, X509 *signer, X509 *intermediate)
{
	char *first = pki_base64(signer),
	     *second = intermediate != NULL ? pki_base64(intermediate) : NULL;
	char *header = NULL;

	must(asprintf(&header, "{\"alg\":\"%s\",\"x5c\":[\"%s\"%s%s%s],\"typ\":\"JWT\"}", alg,
		 first, second != NULL ? ",\"" : "", second != NULL ? second : "",
		 second != NULL ? "\"" : "") > 0);
	free(first);
	free(second);
	return header;
}
