/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pushconf.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "pushgw/config_check.h"
#include "tests/unit/pki.h"
#include "tests/unit/tlscert.h"

static char folder[PATH_MAX];
static struct buf errors;

const char *
pushconf_path(const char *file)
{
	static char path[PATH_MAX + 300];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return path;
}

void
pushconf_write(const char *file, const char *text, unsigned mode)
{
	tlscert_write(folder, file, text, mode);
}

/* --- keys --- */

/* base64url without padding. */
static void
write_bare(const char *file, const unsigned char *bytes, int n)
{
	char text[1024];
	size_t len = (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, n);

	for (size_t i = 0; i < len; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	text[strcspn(text, "=")] = '\0';
	pushconf_write(file, text, 0600);
}

static void
write_bare_keys(EVP_PKEY *key)
{
	unsigned char number[32], *der = NULL;
	BIGNUM *n = NULL;
	int len = i2d_PrivateKey(key, &der);

	cr_assert(len > 0 && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &n) == 1);
	cr_assert_eq(BN_bn2binpad(n, number, sizeof(number)), 32);
	write_bare("vapid.number", number, sizeof(number));
	write_bare("vapid.der", der, len);
	BN_free(n);
	OPENSSL_free(der);
}

static void
write_public(const char *file, EVP_PKEY *key)
{
	FILE *f = fopen(pushconf_path(file), "w");

	cr_assert(f != NULL && PEM_write_PUBKEY(f, key) == 1);
	fclose(f);
}

/* JSON string of a PEM text. */
static void
write_account(const char *pem)
{
	char text[8192], *out = text + sprintf(text, "{\"type\":\"service_account\","
						     "\"project_id\":\"messenger-1\","
						     "\"private_key_id\":\"0123abcd\","
						     "\"private_key\":\"");

	for (; *pem != '\0'; pem++)
		out += sprintf(out, *pem == '\n' ? "\\n" : "%c", *pem);
	sprintf(out, "\",\"client_email\":\"push@messenger-1.iam.gserviceaccount.com\","
		     "\"client_id\":\"1\",\"universe_domain\":\"googleapis.com\","
		     "\"token_uri\":\"https://oauth2.googleapis.com/token\"}\n");
	pushconf_write("fcm.json", text, 0600);
}

static void
write_certificates(void)
{
	char *chain, *key, both[32768];

	tlscert_make(&(struct tlscert){ .names = "DNS:a.example.org" }, &chain, &key);
	pushconf_write("server.pem", chain, 0644);
	pushconf_write("server.key", key, 0600);
	pushconf_write("ca.pem", strstr(chain + 1, "-----BEGIN"), 0644);
	free(chain);
	free(key);
	tlscert_make(&(struct tlscert){ .rsa_bits = 2048 }, &chain, &key);
	snprintf(both, sizeof(both), "%s%s", key, chain);
	pushconf_write("push.pem", both, 0600);
	pushconf_write("push.key", key, 0600);
	free(chain);
	free(key);
}

static void
write_keys(void)
{
	static const struct {
		const char *file;
		struct tlscert of;
	} keys[] = { { "p256.key", { 0 } }, { "p384.key", { .curve = "P-384" } },
		{ "rsa.key", { .rsa_bits = 2048 } }, { "other.key", { .rsa_bits = 2048 } } };
	char *chain, *pem;
	EVP_PKEY *key;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		tlscert_make(&keys[i].of, &chain, &pem);
		pushconf_write(keys[i].file, pem, 0600);
		key = config_parse_key(str_z(pem));
		cr_assert(key != NULL);
		if (i == 0) {
			write_bare_keys(key);
			write_public("token.pub", key);
			pushconf_write("open.key", pem, 0644);
		} else if (keys[i].of.rsa_bits > 0) {
			write_public("rsa.pub", key);
			write_account(pem);
		}
		EVP_PKEY_free(key);
		free(chain);
		free(pem);
	}
}

void
pushconf_write_named(const char *file, const char *user_id)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *cert = pki_certificate(key, &(struct pki_certificate){ .is_ca = false });
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *f = fopen(pushconf_path(file), "w");

	cr_assert(f != NULL);
	cr_assert_eq(X509_NAME_add_entry_by_NID(
			 name, NID_userId, MBSTRING_ASC, (const unsigned char *)user_id, -1, -1, 0),
	    1);
	cr_assert(X509_set_issuer_name(cert, name) == 1 && X509_sign(cert, key, EVP_sha256()) > 0);
	cr_assert(PEM_write_X509(f, cert) == 1 &&
		  PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* --- the folder --- */

void
pushconf_start(void)
{
	char template[] = "/tmp/schleuse-config.XXXXXX";

	cr_assert(mkdtemp(template) != NULL);
	cr_assert(realpath(template, folder) != NULL);
	buf_init(&errors, 1 << 20);
	log_threshold = LOG_ERROR;
	write_certificates();
	write_keys();
	pushconf_write("secret", "user:password\n", 0600);
	pushconf_write("open", "user:password\n", 0644);
	pushconf_write("newline", "\n", 0600);
}

void
pushconf_finish(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlink(pushconf_path(e->d_name));
	if (d != NULL)
		closedir(d);
	rmdir(folder);
	buf_fini(&errors);
}

/* --- loading --- */

static const char *const sections[][2] = {
	{ "tls:", "tls: { certificate: server.pem, key: server.key, hosts: [a.example.org] }" },
	{ "apps:", "apps: [{ id: a.b, provider: fcm, fcm: { service_account_file: fcm.json } }]" },
};

struct pushgw_conf *
pushconf_load(const char *lines)
{
	char text[16384];
	size_t n = (size_t)sprintf(text,
	    "# 1\n# 2\n# 3\n# 4\n# 5\nlisteners: [{ address: \"127.0.0.1:0\" }]\n"
	    "state_dir: state\n");

	for (size_t i = 0; i < 2; i++)
		n += (size_t)sprintf(
		    text + n, "%s\n", strstr(lines, sections[i][0]) == NULL ? sections[i][1] : "#");
	cr_assert(n + strlen(lines) < sizeof(text));
	strcpy(text + n, lines);
	pushconf_write("p.yaml", text, 0644);
	buf_fini(&errors);
	return pushgw_conf_load(pushconf_path("p.yaml"), &errors);
}

struct pushgw_conf *
pushconf_good(const char *lines)
{
	struct pushgw_conf *c = pushconf_load(lines);

	cr_assert(c != NULL, "%s\n" STR_FMT, lines, STR_ARG(buf_str(&errors)));
	return c;
}

struct pushgw_conf *
pushconf_load_file(void)
{
	struct pushgw_conf *c;

	buf_fini(&errors);
	c = pushgw_conf_load(pushconf_path("p.yaml"), &errors);
	cr_assert(c != NULL, STR_FMT, STR_ARG(buf_str(&errors)));
	return c;
}

void
pushconf_refuses(const char *lines, const char *fault)
{
	struct pushgw_conf *c = pushconf_load(lines);
	char expected[PATH_MAX + 512];
	struct str first, rest;

	cr_assert_null(c, "accepted, expected %s", fault);
	snprintf(expected, sizeof(expected), "%s:%s", pushconf_path("p.yaml"), fault);
	str_cut(buf_str(&errors), '\n', &first, &rest);
	cr_assert(str_has_prefix(first, str_z(expected)), "expected %s\ngot " STR_FMT, expected,
	    STR_ARG(buf_str(&errors)));
	cr_assert_eq(rest.n, 0, "more faults: " STR_FMT, STR_ARG(buf_str(&errors)));
}

struct str
pushconf_faults(void)
{
	return buf_str(&errors);
}
