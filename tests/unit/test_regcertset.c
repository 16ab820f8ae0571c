/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the registration service with PASSporT certificates, and their keeping; words in its
 * URLs; keys of questions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/percent.h"
#include "lib/base/log.h"
#include "proxy/miss.h"
#include "proxy/regcertset.h"
#include "tests/unit/pki.h"

static EVP_PKEY *ca_key;
static X509 *ca;
static X509_STORE *anchors;
static struct regcertset_demands demands;
static struct regcertset set;
static struct buf json;

static void
setup(void)
{
	log_threshold = LOG_ERROR;
	ca_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key, &(struct pki_certificate){ "ca", .is_ca = true });
	anchors = pki_store(ca);
	demands = (struct regcertset_demands){ .name = "ti", .anchors = anchors, .max = 4 };
	buf_init(&json, 1 << 20);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)set.trust);
	buf_fini(&json);
	X509_STORE_free(anchors);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

TestSuite(regcertset, .init = setup, .fini = teardown);

/* Appends one entry; `curve` and `want` of its certificate. */
static void
entry(const char *x5u, const char *curve, struct pki_certificate want, bool trusted)
{
	EVP_PKEY *key = pki_key(curve);
	BIO *b = BIO_new(BIO_s_mem());
	X509 *cert;
	char line[128];

	if (trusted) {
		want.issuer = ca;
		want.issuer_key = ca_key;
	}
	cert = pki_certificate(key, &want);
	cr_assert(PEM_write_bio_X509(b, cert));
	cr_assert(buf_printf(&json, "%s{\"x5u\":%s,\"pem\":\"", buf_len(&json) > 0 ? "," : "", x5u));
	while (BIO_gets(b, line, sizeof(line)) > 0)
		cr_assert(buf_printf(&json, "%.*s\\n", (int)strcspn(line, "\n"), line));
	cr_assert(buf_put(&json, STR("\"}")));
	BIO_free(b);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static enum err
read_set(void)
{
	char text[65536];
	int n = snprintf(text, sizeof(text), "{\"certificates\":[" STR_FMT "]}", STR_ARG(buf_str(&json)));

	return regcertset_read(str_of(text, (size_t)n), &demands, &set);
}

Test(regcertset, takes_what_may_vouch_and_leaves_out_the_rest)
{
	entry("\"https://a.example/a.pem\"", PKI_P256, (struct pki_certificate){ 0 }, true);
	entry("null", PKI_P256, (struct pki_certificate){ .from_days = -9, .to_days = -2 }, true);
	entry("null", PKI_P256, (struct pki_certificate){ 0 }, false);
	entry("null", PKI_BRAINPOOL, (struct pki_certificate){ 0 }, true);
	cr_assert_eq(read_set(), OK);
	cr_assert_eq(set.n, 2, "one that has expired keeps its own reason");
	cr_assert_eq(set.n_refused, 2);
	cr_assert_not_null(set.trust);
}

Test(regcertset, an_empty_set_is_one)
{
	cr_assert_eq(read_set(), OK);
	cr_assert_eq(set.n, 0);
	cr_assert_not_null(set.trust);
}

Test(regcertset, takes_so_many_and_no_more)
{
	demands.max = 1;
	entry("null", PKI_P256, (struct pki_certificate){ 0 }, true);
	cr_assert_eq(read_set(), OK);
	snapshot_drop((struct snapshot *)set.trust);
	entry("null", PKI_P256, (struct pki_certificate){ 0 }, true);
	cr_assert_eq(read_set(), ERR_TOO_LARGE);
	cr_assert_null(set.trust);
}

Test(regcertset, refuses_what_is_no_answer)
{
	static const char *const rows[] = { "", "[]", "{}", "{\"certificates\":null}", "{\"certificates\":[1]}",
		"{\"certificates\":[{}]}", "{\"certificates\":[{\"pem\":7}]}", "{\"certificates\":[{\"pem\":\"x\"}]" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_expect_eq(regcertset_read(str_z(rows[i]), &demands, &set), ERR_HTTP_ANSWER, "%s", rows[i]);
		cr_expect_null(set.trust);
	}
	cr_assert_eq(regcertset_read(STR("{\"certificates\":[{\"pem\":\"x\"}]}"), &demands, &set), OK);
	cr_assert_eq(set.n_refused, 1);
}

Test(regcertset, keeps_text_and_time)
{
	char path[] = "regcertset.XXXXXX";
	int64_t as_of = 0;

	close(mkstemp(path));
	cr_assert(regcertset_keep(path, STR("{\"a\":\"\n\"}"), 1700000000));
	cr_assert_eq(regcertset_kept(path, &json, &as_of), OK);
	cr_assert_eq(as_of, 1700000000);
	cr_assert(str_eq(buf_str(&json), STR("{\"a\":\"\n\"}")));
	unlink(path);
	buf_fini(&json);
	cr_assert_eq(regcertset_kept(path, &json, &as_of), ERR_NOT_FOUND);
}

Test(regcertset, a_damaged_file_is_told)
{
	static const char *const rows[] = { "", "as_of 1", "as_of x\n{}", "{}\n", "as_of -1\n{}" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char path[] = "regcertset.XXXXXX";
		int fd = mkstemp(path);
		int64_t as_of;

		cr_assert_eq(write(fd, rows[i], strlen(rows[i])), (ssize_t)strlen(rows[i]));
		close(fd);
		cr_expect_eq(regcertset_kept(path, &json, &as_of), ERR_HTTP_ANSWER, "%s", rows[i]);
		buf_fini(&json);
		unlink(path);
	}
}

Test(regcertset, words_in_urls_are_escaped)
{
	cr_assert(percent_put(&json, STR("aZ09-._~")));
	cr_assert(percent_put(&json, STR("/+&=%:\xc3\xa4 \"")));
	cr_assert(str_eq(buf_str(&json), STR("aZ09-._~%2F%2B%26%3D%25%3A%C3%A4%20%22")));
	buf_fini(&json);
	buf_init(&json, 4);
	cr_assert_not(percent_put(&json, STR("abc/")));
}

Test(regcertset, a_question_is_known_by_kind_federation_and_name)
{
	static char long_name[MISS_NAME_MAX + 1];
	const struct federation_conf ti = { .name = (char *)(uintptr_t)"ti" };
	char a[MISS_KEY_MAX], b[MISS_KEY_MAX];
	struct str one = miss_key(a, MISS_DOMAIN, &ti, STR("a/b")), two = miss_key(b, MISS_X5U, &ti, STR("a/b"));
	struct str federation, name;
	enum miss kind;

	cr_assert_not(str_eq(one, two));
	miss_parse(two, &kind, &federation, &name);
	cr_assert_eq(kind, MISS_X5U);
	cr_assert(str_eq(federation, STR("ti")));
	cr_assert(str_eq(name, STR("a/b")));
	memset(long_name, 'a', sizeof(long_name));
	cr_assert_eq(miss_key(a, MISS_X5U, &ti, str_of(long_name, sizeof(long_name))).n, 0);
}
