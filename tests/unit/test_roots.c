/* SPDX-License-Identifier: Apache-2.0 */
/* Roots A, B, C, D: B is linked to A, C to B, D to nobody unless a test says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/trust/roots.h"
#include "tests/unit/pki.h"

enum { A, B, C, D, N };
static const char *const names[N] = { "Root A", "Root B", "Root C", "Root D" };
static EVP_PKEY *keys[N];
static X509 *roots[N];
static X509 *prev[N], *next[N];
static STACK_OF(X509) *pinned, *linked;

/* A certificate of root `to` that root `by` has signed. */
static X509 *
cross(int by, int to)
{
	const struct pki_certificate want = {
		.common_name = names[to], .is_ca = true, .issuer = roots[by], .issuer_key = keys[by]
	};

	return pki_certificate(keys[to], &want);
}

static void
pin(X509 *cert)
{
	sk_X509_pop_free(pinned, X509_free);
	pinned = sk_X509_new_null();
	X509_up_ref(cert);
	sk_X509_push(pinned, cert);
}

static void
setup(void)
{
	for (int i = 0; i < N; i++) {
		const struct pki_certificate want = { .common_name = names[i], .is_ca = true };

		keys[i] = pki_key(PKI_BRAINPOOL);
		roots[i] = pki_certificate(keys[i], &want);
	}
	next[A] = cross(A, B);
	next[B] = cross(B, C);
	prev[B] = cross(B, A);
	prev[C] = cross(C, B);
	pin(roots[A]);
}

static void
teardown(void)
{
	for (int i = 0; i < N; i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(roots[i]);
		X509_free(prev[i]);
		X509_free(next[i]);
	}
	sk_X509_pop_free(pinned, X509_free);
	sk_X509_pop_free(linked, X509_free);
}

TestSuite(roots, .init = setup, .fini = teardown);

static void
add(char *text, const char *name, X509 *cert)
{
	char *base64 = cert != NULL ? pki_base64(cert) : strdup("");

	sprintf(text + strlen(text), ",\"%s\":\"%s\"", name, base64);
	free(base64);
}

static enum err
link_all(void)
{
	static char text[64 << 10];
	enum err err;

	strcpy(text, "[");
	for (int i = 0; i < N; i++) {
		sprintf(text + strlen(text), "%s{\"name\":\"RCA%d\",\"CN\":\"%s\"",
		    i > 0 ? "," : "", i, names[i]);
		add(text, "cert", roots[i]);
		add(text, "prev", prev[i]);
		add(text, "next", next[i]);
		strcat(text, ",\"SKI\":\"00\",\"nva\":null,\"x\":[{}]}");
	}
	strcat(text, "]");
	sk_X509_pop_free(linked, X509_free);
	err = roots_link(str_z(text), pinned, clock_wall_s(), &linked);
	return err;
}

static void
linked_are(bool a, bool b, bool c, bool d)
{
	cr_assert_eq(link_all(), OK);
	cr_assert_eq(roots_has(linked, roots[A]), a);
	cr_assert_eq(roots_has(linked, roots[B]), b);
	cr_assert_eq(roots_has(linked, roots[C]), c);
	cr_assert_eq(roots_has(linked, roots[D]), d);
	cr_assert_eq(sk_X509_num(linked), a + b + c + d);
}

static void
replace(X509 **where, X509 *by)
{
	X509_free(*where);
	*where = by;
}

Test(roots, newer_ones_are_reached_and_a_foreign_one_is_not)
{
	linked_are(false, true, true, false);
}

Test(roots, older_ones_are_reached)
{
	pin(roots[C]);
	linked_are(true, true, false, false);
}

Test(roots, a_root_that_is_not_in_the_file_links_as_well)
{
	EVP_PKEY *key = keys[A];
	X509 *a = roots[A];
	const struct pki_certificate want = { .common_name = "Another" };

	keys[A] = pki_key(PKI_P256);
	roots[A] = pki_certificate(keys[A], &want); /* in the place of the pinned one */
	linked_are(false, true, true, false);
	EVP_PKEY_free(key);
	X509_free(a);
}

Test(roots, a_broken_link_ends_the_walk)
{
	/* signed by somebody else under B's name */
	const struct pki_certificate forged = {
		.common_name = names[C], .is_ca = true, .issuer = roots[B], .issuer_key = keys[D]
	};

	replace(&next[B], pki_certificate(keys[C], &forged));
	linked_are(false, true, false, false);
	replace(&next[B], NULL);
	linked_are(false, true, false, false);
}

Test(roots, an_expired_link_counts_for_nothing)
{
	const struct pki_certificate old = { .common_name = names[B],
		.is_ca = true,
		.issuer = roots[A],
		.issuer_key = keys[A],
		.from_days = -10,
		.to_days = -2 };
	const struct pki_certificate early = { .common_name = names[B],
		.is_ca = true,
		.issuer = roots[A],
		.issuer_key = keys[A],
		.from_days = 2,
		.to_days = 9 };

	replace(&next[A], pki_certificate(keys[B], &old));
	linked_are(false, false, false, false);
	replace(&next[A], pki_certificate(keys[B], &early));
	linked_are(false, false, false, false);
}

Test(roots, a_link_is_an_authority)
{
	const struct pki_certificate leaf = {
		.common_name = names[B], .issuer = roots[A], .issuer_key = keys[A]
	};

	replace(&next[A], pki_certificate(keys[B], &leaf));
	linked_are(false, false, false, false);
}

Test(roots, a_link_is_of_the_name_and_the_key)
{
	const struct pki_certificate other_name = {
		.common_name = "Root Q", .is_ca = true, .issuer = roots[A], .issuer_key = keys[A]
	};
	const struct pki_certificate same_name = {
		.common_name = names[B], .is_ca = true, .issuer = roots[A], .issuer_key = keys[A]
	};

	replace(&next[A], pki_certificate(keys[B], &other_name));
	linked_are(false, false, false, false);
	replace(&next[A], pki_certificate(keys[D], &same_name));
	linked_are(false, false, false, false);
}

Test(roots, a_root_out_of_its_dates_is_none)
{
	const struct pki_certificate old = {
		.common_name = names[B], .is_ca = true, .from_days = -10, .to_days = -2
	};

	replace(&roots[B], pki_certificate(keys[B], &old));
	linked_are(false, false, false, false);
}

Test(roots, a_root_signs_itself)
{
	const struct pki_certificate below = {
		.common_name = names[B], .is_ca = true, .issuer = roots[D], .issuer_key = keys[D]
	};

	replace(&roots[B], pki_certificate(keys[B], &below));
	linked_are(false, false, false, false);
}

Test(roots, a_loop_ends)
{
	next[C] = cross(C, A);
	prev[A] = cross(A, C);
	linked_are(false, true, true, false);
}

Test(roots, unlinked_roots_that_vouch_for_each_other_are_not_trusted)
{
	replace(&next[B], NULL);
	replace(&prev[C], NULL);
	next[C] = cross(C, D);
	prev[D] = cross(D, C);
	next[D] = cross(D, B); /* even for one that is trusted */
	linked_are(false, true, false, false);
}

Test(roots, what_is_no_roots_json_is_refused)
{
	static const char *const bad[] = { "", "{}", "[1]", "[{\"cert\":1}]", "[{\"cert\":\"\"",
		"[{\"cert\":\"\",\"cert\":\"\"}]", "[]x", "[{},]" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(roots_link(str_z(bad[i]), pinned, clock_wall_s(), &linked), ERR_ROOTS,
		    "%s", bad[i]);
		cr_assert_null(linked);
	}
}

Test(roots, entries_without_certificates_link_nothing)
{
	cr_assert_eq(roots_link(STR("[{},{\"cert\":\"AAAA\",\"next\":null,\"prev\":\"?\"}]"),
			 pinned, clock_wall_s(), &linked),
	    OK);
	cr_assert_eq(sk_X509_num(linked), 0);
}

Test(roots, more_entries_than_allowed_are_refused)
{
	char text[3 * (ROOTS_MAX + 1) + 2] = "[";

	for (int i = 0; i <= ROOTS_MAX; i++)
		strcat(text, i > 0 ? ",{}" : "{}");
	strcat(text, "]");
	cr_assert_eq(roots_link(str_z(text), pinned, clock_wall_s(), &linked), ERR_ROOTS);
}
