/* SPDX-License-Identifier: Apache-2.0 */
/* Server certificates, CP-1.2.1-C1 to C6. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/net/certcheck.h"
#include "tests/unit/tlscert.h"

struct findings {
	char refused[2048], warned[2048];
	size_t host;
};

static void
on_finding(void *arg, bool fatal, enum certcheck_part part, size_t host, const char *text)
{
	struct findings *f = arg;
	char *to = fatal ? f->refused : f->warned;

	(void)part;
	f->host = host;
	strncat(to, text, sizeof(f->refused) - strlen(to) - 1);
}

static bool
judge_pem(const char *chain, const char *key, bool test_mode, struct findings *f)
{
	static const char *const hosts[] = { "a.example.org" };
	struct certcheck c = {
		.chain_file = "server.pem",
		.key_file = "server.key",
		.chain_pem = str_z(chain),
		.key_pem = str_z(key),
		.hosts = hosts,
		.n_hosts = 1,
		.now = clock_wall_s(),
		.test_mode = test_mode,
	};
	int64_t not_after;

	*f = (struct findings){ .host = 0 };
	return certcheck_judge(&c, on_finding, f, &not_after);
}

static bool
judge(const struct tlscert *want, struct findings *f)
{
	char *chain, *key;
	bool good;

	tlscert_make(want, &chain, &key);
	good = judge_pem(chain, key, false, f);
	free(chain);
	free(key);
	return good;
}

static void
refuses(const struct tlscert *want, const char *because)
{
	struct findings f;

	cr_assert_not(judge(want, &f));
	cr_assert(strstr(f.refused, because) != NULL, "expected '%s' in '%s'", because, f.refused);
	cr_assert(strstr(f.refused, "server.pem") != NULL);
}

Test(certcheck, accepts_issued_ec_and_rsa_certificates_without_a_word)
{
	struct findings f;

	cr_assert(judge(&(struct tlscert){ .names = NULL }, &f), "%s", f.refused);
	cr_assert_str_eq(f.warned, "");
	cr_assert(judge(&(struct tlscert){ .rsa_bits = 2048 }, &f), "%s", f.refused);
	cr_assert_str_eq(f.warned, "");
}

Test(certcheck, gives_the_end_of_the_certificate)
{
	static const char *const hosts[] = { "a.example.org" };
	int64_t now = clock_wall_s(), not_after = 0;
	struct findings f = { .host = 0 };
	struct certcheck c = {
		.chain_file = "c", .key_file = "k", .hosts = hosts, .n_hosts = 1, .now = now
	};
	char *chain, *key;

	tlscert_make(&(struct tlscert){ .to_days = 50 }, &chain, &key);
	c.chain_pem = str_z(chain);
	c.key_pem = str_z(key);
	cr_assert(certcheck_judge(&c, on_finding, &f, &not_after));
	cr_assert(not_after >= now + 50 * 86400 && not_after <= now + 50 * 86400 + 60);
	free(chain);
	free(key);
}

Test(certcheck, refuses_a_self_signed_certificate_outside_test_mode)
{
	struct findings f;
	char *chain, *key;

	refuses(&(struct tlscert){ .self_signed = true }, "self-signed");
	tlscert_make(&(struct tlscert){ .self_signed = true }, &chain, &key);
	cr_assert(judge_pem(chain, key, true, &f));
	cr_assert(strstr(f.warned, "self-signed") != NULL);
	free(chain);
	free(key);
}

Test(certcheck, refuses_x509_version_1)
{
	refuses(&(struct tlscert){ .version = 1 }, "version 1");
}

Test(certcheck, refuses_weak_keys)
{
	refuses(&(struct tlscert){ .rsa_bits = 1024 }, "1024 bit");
	refuses(&(struct tlscert){ .curve = "P-224" }, "224 bit");
}

Test(certcheck, refuses_sha1_signatures)
{
	refuses(&(struct tlscert){ .digest = "SHA1" }, "SHA1");
}

Test(certcheck, refuses_certificates_that_are_not_valid_now)
{
	refuses(&(struct tlscert){ .from_days = -20, .to_days = -10 }, "ended on");
	refuses(&(struct tlscert){ .from_days = 5 }, "valid only from");
}

Test(certcheck, warns_of_a_lifetime_over_twelve_months)
{
	struct findings f;

	cr_assert(judge(&(struct tlscert){ .from_days = -1, .to_days = 397 }, &f));
	cr_assert_str_eq(f.warned, "");
	cr_assert(judge(&(struct tlscert){ .from_days = -10, .to_days = 720 }, &f));
	cr_assert(strstr(f.warned, "twelve months") != NULL);
}

Test(certcheck, warns_thirty_days_before_the_end)
{
	struct findings f;

	cr_assert(judge(&(struct tlscert){ .to_days = 31 }, &f));
	cr_assert_str_eq(f.warned, "");
	cr_assert(judge(&(struct tlscert){ .to_days = 29 }, &f));
	cr_assert(strstr(f.warned, "renew it") != NULL);
}

Test(certcheck, names_the_host_that_is_not_covered)
{
	struct findings f;

	refuses(&(struct tlscert){ .names = "DNS:b.example.org" }, "does not cover a.example.org");
	cr_assert(judge(&(struct tlscert){ .names = "DNS:*.example.org" }, &f), "%s", f.refused);
}

Test(certcheck, refuses_a_key_of_another_certificate)
{
	char *chain, *key, *other_chain, *other_key;
	struct findings f;

	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	tlscert_make(&(struct tlscert){ .names = NULL }, &other_chain, &other_key);
	cr_assert_not(judge_pem(chain, other_key, false, &f));
	cr_assert(strstr(f.refused, "server.key is not the key") != NULL);
	cr_assert_not(judge_pem(chain, "rubbish", false, &f));
	cr_assert(strstr(f.refused, "server.key holds no PEM private key") != NULL);
	cr_assert_not(judge_pem("rubbish", key, false, &f));
	cr_assert(strstr(f.refused, "server.pem holds no PEM certificate") != NULL);
	cr_assert_not(judge_pem("", key, false, &f));
	free(chain);
	free(key);
	free(other_chain);
	free(other_key);
}

Test(certcheck, says_which_certificate_is_damaged)
{
	struct findings f;
	char *chain, *key, *second;

	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	second = strstr(chain + 1, "-----BEGIN");
	cr_assert(second != NULL);
	memset(second + 40, '!', 20);
	cr_assert_not(judge_pem(chain, key, false, &f));
	cr_assert(strstr(f.refused, "certificate 2 is damaged") != NULL, "%s", f.refused);
	free(chain);
	free(key);
}

Test(certcheck, warns_of_a_chain_out_of_order)
{
	char *chain, *key, *other, *other_key, both[16384];
	struct findings f;

	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	tlscert_make(&(struct tlscert){ .names = NULL }, &other, &other_key);
	*strstr(chain + 1, "-----BEGIN") = '\0';
	snprintf(both, sizeof(both), "%s%s", chain, other);
	cr_assert(judge_pem(both, key, false, &f));
	cr_assert(strstr(f.warned, "did not issue") != NULL);
	free(chain);
	free(key);
	free(other);
	free(other_key);
}
