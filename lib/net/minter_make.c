/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a CA: for as few names as its purpose allows.
 *
 * Kinds of names that nobody needs are permitted only below "invalid" (RFC 6761), which all clients
 * understand, where an empty name in excludedSubtrees is read differently by them.  Directory names
 * are left alone: there are clients (Go) that refuse a CA with a constraint on them, and none looks
 * for a host in the subject of a certificate that has subjectAltNames.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/net/address.h"
#include "lib/net/minter_int.h"

#define BACKDATED_S 3600
#define HOST_SHOWN 40 /* bytes of the host's name: a commonName has 64 */
#define NOBODY "invalid"

/* --- name constraints --- */

static ASN1_OCTET_STRING *
network_of(struct str text)
{
	unsigned char bytes[32] = { 0 };
	ASN1_OCTET_STRING *s;
	struct network n;
	size_t size;

	if (!network_parse(text, &n))
		return NULL;
	size = n.family == AF_INET ? 4 : 16;
	memcpy(bytes, n.bytes, size);
	for (unsigned i = 0; i < n.bits; i++)
		bytes[size + i / 8] |= (unsigned char)(0x80 >> i % 8);
	s = ASN1_OCTET_STRING_new();
	if (s != NULL && ASN1_OCTET_STRING_set(s, bytes, (int)(2 * size)) == 1)
		return s;
	ASN1_OCTET_STRING_free(s);
	return NULL;
}

static ASN1_STRING *
name_of(const char *text)
{
	ASN1_STRING *s = ASN1_IA5STRING_new();
	struct minter_host host;

	if (s != NULL && minter_host_name(str_z(text), &host) &&
	    ASN1_STRING_set(s, host.text, -1) == 1)
		return s;
	ASN1_STRING_free(s);
	return NULL;
}

static bool
add_subtree(STACK_OF(GENERAL_SUBTREE) **all, int type, const char *text)
{
	ASN1_STRING *value = type == GEN_IPADD ? network_of(str_z(text)) : name_of(text);
	GENERAL_SUBTREE *t = GENERAL_SUBTREE_new();

	if (*all == NULL)
		*all = sk_GENERAL_SUBTREE_new_null();
	if (value != NULL && t != NULL && *all != NULL) {
		GENERAL_NAME_set0_value(t->base, type, value);
		if (sk_GENERAL_SUBTREE_push(*all, t) > 0)
			return true;
		value = NULL;
	}
	ASN1_STRING_free(value);
	GENERAL_SUBTREE_free(t);
	return false;
}

/* GEN_IPADD, GEN_DNS, or -1: neither a network or address nor a name. */
static int
type_of(const char *text)
{
	struct minter_host host;
	struct network n;

	if (network_parse(str_z(text), &n))
		return GEN_IPADD;
	return minter_host_name(str_z(text), &host) ? GEN_DNS : -1;
}

static bool
add_all(STACK_OF(GENERAL_SUBTREE) **to, const char *const *v, size_t n, bool *names, bool *networks)
{
	for (size_t i = 0; i < n; i++) {
		int type = type_of(v[i]);

		*names |= type == GEN_DNS;
		*networks |= type == GEN_IPADD;
		if (!add_subtree(to, type, v[i]))
			return false;
	}
	return true;
}

static bool
fill_constraints(NAME_CONSTRAINTS *c, const struct minter_ca_request *r)
{
	bool names = false, networks = false, ignored = false;

	if (!add_all(&c->permittedSubtrees, r->permitted, r->n_permitted, &names, &networks) ||
	    !add_all(&c->excludedSubtrees, r->excluded, r->n_excluded, &ignored, &ignored) ||
	    !add_subtree(&c->permittedSubtrees, GEN_EMAIL, NOBODY) ||
	    !add_subtree(&c->permittedSubtrees, GEN_URI, NOBODY))
		return false;
	if (r->n_permitted == 0)
		return true;
	return (names || add_subtree(&c->permittedSubtrees, GEN_DNS, NOBODY)) &&
	       (networks || (add_subtree(&c->excludedSubtrees, GEN_IPADD, "0.0.0.0/0") &&
				add_subtree(&c->excludedSubtrees, GEN_IPADD, "::/0")));
}

static bool
constrain(X509 *x, const struct minter_ca_request *r)
{
	NAME_CONSTRAINTS *c = NAME_CONSTRAINTS_new();
	bool ok = c != NULL && fill_constraints(c, r) &&
		  X509_add1_ext_i2d(x, NID_name_constraints, c, 1, X509V3_ADD_DEFAULT) == 1;

	NAME_CONSTRAINTS_free(c);
	return ok;
}

/* --- the certificate --- */

static bool
add_to_name(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(
		   name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

/* What it is and where it was made; two made on one host differ. */
static bool
describe(X509 *x, int64_t now)
{
	char host[256] = "", cn[80], made[32];
	X509_NAME *name = X509_get_subject_name(x);
	time_t t = (time_t)now;
	struct tm tm;

	if (gethostname(host, sizeof(host) - 1) != 0 || gmtime_r(&t, &tm) == NULL)
		return false;
	for (char *p = host; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~')
			*p = '?';
	snprintf(cn, sizeof(cn), "Schleuse tunnel CA of %.*s", HOST_SHOWN, host);
	strftime(made, sizeof(made), "%Y%m%dT%H%M%SZ", &tm);
	return add_to_name(name, NID_organizationName, "Schleuse") &&
	       add_to_name(name, NID_organizationalUnitName,
		   "for the own homeserver only; trust it nowhere else") &&
	       add_to_name(name, NID_commonName, cn) && add_to_name(name, NID_serialNumber, made) &&
	       X509_set_issuer_name(x, name) == 1;
}

static X509 *
make_certificate(const struct minter_ca_request *r, EVP_PKEY *key)
{
	int64_t now = clock_wall_s();
	X509 *x = X509_new();

	if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    minter_stamp(x, now - BACKDATED_S, now + (int64_t)r->days * MINTER_DAY) &&
	    describe(x, now) && X509_set_pubkey(x, key) == 1 &&
	    minter_extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    minter_extend(x, x, NID_key_usage, "critical,keyCertSign") &&
	    minter_extend(x, x, NID_ext_key_usage, "serverAuth") &&
	    minter_extend(x, x, NID_subject_key_identifier, "hash") &&
	    minter_extend(x, x, NID_authority_key_identifier, "keyid:always") && constrain(x, r) &&
	    X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

/* --- the files --- */

/* A new file, safe on the disk; no part of it stays behind after a failure. */
static bool
write_new(const char *path, mode_t mode, BIO *content, char *why, size_t why_size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	char *bytes;
	long n = BIO_get_mem_data(content, &bytes);
	int err = 0;

	if (fd < 0) {
		snprintf(why, why_size, "%s: %s%s", path, strerror(errno),
		    errno == EEXIST ? "; it is never overwritten: name another folder, or move it "
				      "away if it is no longer used"
				    : "");
		return false;
	}
	if (fchmod(fd, mode) != 0 || write(fd, bytes, (size_t)n) != n || fsync(fd) != 0)
		err = errno != 0 ? errno : ENOSPC;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0)
		return true;
	unlink(path);
	snprintf(why, why_size, "%s: %s", path, strerror(err));
	return false;
}

static void
sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* The key first: a certificate without its key would look finished. */
static bool
write_both(const char *folder, X509 *x, EVP_PKEY *key, char *why, size_t why_size)
{
	char *cert_path = NULL, *key_path = NULL;
	BIO *cert = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_secmem());
	bool ok = false;

	snprintf(why, why_size, "out of memory");
	if (cert == NULL || secret == NULL ||
	    asprintf(&cert_path, "%s/" MINTER_CA_CERTIFICATE, folder) < 0 ||
	    asprintf(&key_path, "%s/" MINTER_CA_KEY, folder) < 0 ||
	    PEM_write_bio_X509(cert, x) != 1 ||
	    PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) != 1)
		goto out;
	if (access(cert_path, F_OK) == 0) {
		snprintf(why, why_size,
		    "%s exists; it is never overwritten: name another folder, or move it away if "
		    "it is no longer used",
		    cert_path);
		goto out;
	}
	ok = write_new(key_path, 0600, secret, why, why_size);
	if (ok && !write_new(cert_path, 0644, cert, why, why_size)) {
		unlink(key_path);
		ok = false;
	}
	sync_folder(folder);
out:
	BIO_free(cert);
	BIO_free(secret);
	free(cert_path);
	free(key_path);
	return ok;
}

static bool
check_names(const char *const *v, size_t n, char *why, size_t why_size)
{
	for (size_t i = 0; i < n; i++) {
		if (type_of(v[i]) >= 0)
			continue;
		snprintf(why, why_size,
		    "%s is neither a DNS name nor an IP address or network; write a name without "
		    "wildcard, port or dot at its end: what is below it is meant too",
		    v[i]);
		return false;
	}
	return true;
}

static bool
same_network(const char *a, const char *b)
{
	struct network x, y;

	return network_parse(str_z(a), &x) && network_parse(str_z(b), &y) && x.family == y.family &&
	       x.bits == y.bits && memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

bool
minter_ca_permits(const struct minter_ca_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_permitted; i++)
		if (minter_name_within(str_z(r->permitted[i]), str_z(name)) ||
		    same_network(r->permitted[i], name))
			return true;
	return false;
}

bool
minter_ca_make(const char *folder, const struct minter_ca_request *r, char *why, size_t why_size)
{
	EVP_PKEY *key;
	X509 *x = NULL;
	bool ok = false;

	if (!check_names(r->permitted, r->n_permitted, why, why_size) ||
	    !check_names(r->excluded, r->n_excluded, why, why_size))
		return false;
	key = EVP_EC_gen("P-256");
	if (key != NULL)
		x = make_certificate(r, key);
	if (x != NULL)
		ok = write_both(folder, x, key, why, why_size);
	else
		snprintf(why, why_size, "the certificate cannot be made");
	X509_free(x);
	EVP_PKEY_free(key);
	return ok;
}
