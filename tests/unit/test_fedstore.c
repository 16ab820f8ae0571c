/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.2-16/-18: only a list that verifies replaces the one held, and it survives a restart. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/federation/fedstore.h"
#include "tests/unit/pki.h"

#define ROLE "1.2.276.0.76.4.171"
#define CN "list signer"

static char dir[32], jws_file[64], state_file[64];
static EVP_PKEY *ca_key, *bp_key, *es_key;
static X509 *ca, *bp, *es;
static X509_STORE *anchors;
static struct fedstore *store;

static X509 *
signer(EVP_PKEY *key, struct pki_certificate want)
{
	if (want.common_name == NULL)
		want.common_name = CN;
	if (want.role == NULL)
		want.role = ROLE;
	want.issuer = ca;
	want.issuer_key = ca_key;
	return pki_certificate(key, &want);
}

static struct fedstore *
open_store(void)
{
	struct fedstore_config cfg = {
		.state_dir = dir,
		.name = "test",
		.anchors = anchors,
		.signer_role = ROLE,
		.signer_cn = CN,
		.max_bytes = 1 << 20,
		.max_entries = 100,
	};
	struct fedstore *s = fedstore_new(&cfg);

	cr_assert(s != NULL);
	return s;
}

static void
setup(void)
{
	log_threshold = LOG_ERROR;
	strcpy(dir, "/tmp/fedstore-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
	snprintf(jws_file, sizeof(jws_file), "%s/test.jws", dir);
	snprintf(state_file, sizeof(state_file), "%s/test.state", dir);
	ca_key = pki_key(PKI_P256);
	bp_key = pki_key(PKI_BRAINPOOL);
	es_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key, &(struct pki_certificate){ "ca", .is_ca = true });
	bp = signer(bp_key, (struct pki_certificate){ 0 });
	es = signer(es_key, (struct pki_certificate){ 0 });
	anchors = pki_store(ca);
	store = open_store();
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	return remove(path);
}

static void
teardown(void)
{
	fedstore_free(store);
	X509_STORE_free(anchors);
	X509_free(ca);
	X509_free(bp);
	X509_free(es);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(bp_key);
	EVP_PKEY_free(es_key);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(fedstore, .init = setup, .fini = teardown);

static void
reopen(void)
{
	fedstore_free(store);
	store = open_store();
}

static enum err
offer_bytes(struct str jws, int64_t as_of)
{
	struct fedstore_offer o;
	enum err err = fedstore_judge(store, jws, NULL, &o);

	if (err == OK)
		fedstore_adopt(store, &o, as_of);
	return err;
}

static enum err
offer_text(const char *alg, EVP_PKEY *key, X509 *cert, const char *payload, int64_t as_of)
{
	char *header = pki_list_header(alg, cert, NULL);
	char *token = pki_jws(key, header, str_z(payload));
	enum err err = offer_bytes(str_z(token), as_of);

	free(header);
	free(token);
	return err;
}

static enum err
offer(int version, const char *name, int64_t as_of)
{
	char payload[256];

	snprintf(payload, sizeof(payload), "{\"version\":%d,\"domainList\":[{\"domain\":\"%s\"}]}",
	    version, name);
	return offer_text("BP256R1", bp_key, bp, payload, as_of);
}

static enum err
offer_by(const char *alg, EVP_PKEY *key, X509 *cert)
{
	return offer_text(
	    alg, key, cert, "{\"version\":5,\"domainList\":[\"a.org\"]}", clock_wall_s());
}

static enum err
offer_header(const char *header)
{
	char *token = pki_jws(es_key, header, STR("{\"version\":5,\"domainList\":[\"a.org\"]}"));
	enum err err = offer_bytes(str_z(token), clock_wall_s());

	free(token);
	return err;
}

static bool
lists(const char *name)
{
	const struct fedlist *l = fedstore_list(store);

	return l != NULL && fedlist_has(l, str_z(name), FEDLIST_PORTS_EXACT);
}

Test(fedstore, adopts_lists_of_both_algorithms)
{
	cr_assert(fedstore_list(store) == NULL);
	cr_assert_eq(fedstore_as_of(store), 0);
	cr_assert_eq(offer(3, "a.org", clock_wall_s() - 100), OK);
	cr_assert(lists("a.org"));
	cr_assert_eq(fedlist_version(fedstore_list(store)), 3);
	cr_assert(fedstore_as_of(store) <= clock_wall_s() - 100 && fedstore_as_of(store) > 0);
	cr_assert_eq(offer_by("ES256", es_key, es), OK);
	cr_assert_eq(fedlist_version(fedstore_list(store)), 5);
}

Test(fedstore, replaces_the_list_at_once)
{
	cr_assert_eq(offer(3, "a.org", 100), OK);
	cr_assert_eq(offer(4, "b.org", 200), OK);
	cr_assert(lists("b.org"));
	cr_assert_not(lists("a.org"));
	cr_assert_eq(fedstore_as_of(store), 200);
}

Test(fedstore, keeps_a_list_that_someone_holds)
{
	struct fedlist *held;

	cr_assert_eq(offer(3, "a.org", 100), OK);
	held = snapshot_hold((struct snapshot *)(void *)(uintptr_t)fedstore_list(store));
	cr_assert_eq(offer(4, "b.org", 200), OK);
	cr_assert(fedlist_has(held, STR("a.org"), FEDLIST_PORTS_EXACT));
	snapshot_drop((struct snapshot *)held);
}

Test(fedstore, refuses_a_lower_version)
{
	cr_assert_eq(offer(9, "a.org", 100), OK);
	cr_assert_eq(offer(8, "b.org", 200), ERR_FEDLIST_LOWER);
	cr_assert(lists("a.org"));
	cr_assert_eq(fedstore_as_of(store), 100);
}

Test(fedstore, renews_the_age_for_the_same_list_only)
{
	cr_assert_eq(offer(9, "a.org", 100), OK);
	cr_assert_eq(offer(9, "a.org", 300), OK);
	cr_assert_eq(fedstore_as_of(store), 300);
	cr_assert_eq(offer(9, "a.org", 200), OK);
	cr_assert_eq(fedstore_as_of(store), 300, "an older confirmation says nothing new");
	cr_assert_eq(offer(9, "b.org", 400), ERR_FEDLIST_LOWER);
	cr_assert_not(lists("b.org"));
	cr_assert_eq(fedstore_as_of(store), 300);
}

Test(fedstore, renews_the_age_when_the_source_confirms)
{
	fedstore_confirm(store, 50);
	cr_assert_eq(fedstore_as_of(store), 0, "there is nothing to confirm");
	cr_assert_eq(offer(9, "a.org", 100), OK);
	fedstore_confirm(store, 500);
	cr_assert_eq(fedstore_as_of(store), 500);
	fedstore_confirm(store, clock_wall_s() + 100000);
	cr_assert(fedstore_as_of(store) <= clock_wall_s(), "a date from the future is now");
}

Test(fedstore, takes_no_age_from_the_future)
{
	cr_assert_eq(offer(9, "a.org", clock_wall_s() + 100000), OK);
	cr_assert(fedstore_as_of(store) <= clock_wall_s());
}

Test(fedstore, refuses_a_bad_signature)
{
	EVP_PKEY *other = pki_key(PKI_BRAINPOOL);

	cr_assert_eq(offer_by("BP256R1", other, bp), ERR_JWS_SIGNATURE);
	cr_assert(fedstore_list(store) == NULL);
	cr_assert(access(jws_file, F_OK) != 0);
	EVP_PKEY_free(other);
}

Test(fedstore, refuses_keys_that_do_not_fit_the_algorithm)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	X509 *rsa_cert = signer(rsa, (struct pki_certificate){ 0 });

	cr_assert_eq(offer_by("ES256", bp_key, bp), ERR_X5C_CURVE);
	cr_assert_eq(offer_by("BP256R1", es_key, es), ERR_X5C_CURVE);
	cr_assert_eq(offer_by("ES256", es_key, rsa_cert), ERR_X5C_CURVE);
	cr_assert_eq(offer_by("none", es_key, es), ERR_JWS_ALG);
	cr_assert_eq(offer_by("RS256", es_key, es), ERR_JWS_ALG);
	X509_free(rsa_cert);
	EVP_PKEY_free(rsa);
}

Test(fedstore, refuses_headers_without_a_certificate)
{
	char *one = pki_base64(es), *header;

	cr_assert_eq(offer_header("{\"alg\":\"ES256\"}"), ERR_X5C_SYNTAX);
	cr_assert_eq(offer_header("{\"alg\":\"ES256\",\"x5c\":[]}"), ERR_X5C_SYNTAX);
	cr_assert_eq(
	    offer_header(
		"{\"alg\":\"ES256\",\"x5c\":[\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEr+4kE7DebrmX1"
		"+aVX7Osg9EuQM5nkrvdyVthRNmCmoMKyj4tiH4fvIbyp8aR89FumjwDev/E2yx1ZZgoePJVw==\"]}"),
	    ERR_X5C_SYNTAX, "a bare public key");
	cr_assert(asprintf(&header, "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1,\"x5c\":[\"%s\"]}",
		      one) > 0);
	cr_assert_eq(offer_header(header), ERR_JWS_SYNTAX, "an extension that must be understood");
	free(header);
	free(one);
	cr_assert_eq(
	    offer_bytes(STR("{\"version\":1,\"domainList\":[]}"), 1), ERR_JWS_SYNTAX, "unsigned");
	cr_assert_eq(offer_bytes(STR(""), 1), ERR_JWS_SYNTAX);
}

static void
refuses_signer(enum err want, struct pki_certificate with)
{
	X509 *cert = signer(es_key, with);

	cr_assert_eq(offer_by("ES256", es_key, cert), want);
	cr_assert(fedstore_list(store) == NULL);
	X509_free(cert);
}

Test(fedstore, refuses_signers_that_may_not_sign_lists)
{
	X509 *own = pki_certificate(es_key, &(struct pki_certificate){ CN, .role = ROLE });

	refuses_signer(
	    ERR_X5C_VALIDITY, (struct pki_certificate){ .from_days = -9, .to_days = -1 });
	refuses_signer(ERR_X5C_VALIDITY, (struct pki_certificate){ .from_days = 1 });
	refuses_signer(ERR_X5C_USAGE, (struct pki_certificate){ .key_usage = "" });
	refuses_signer(ERR_X5C_USAGE, (struct pki_certificate){ .key_usage = "keyAgreement" });
	refuses_signer(ERR_X5C_ROLE, (struct pki_certificate){ .role = "1.2.276.0.76.4.172" });
	refuses_signer(ERR_X5C_ROLE, (struct pki_certificate){ .common_name = "other signer" });
	cr_assert_eq(offer_by("ES256", es_key, own), ERR_X5C_CHAIN);
	X509_free(own);
}

Test(fedstore, refuses_lists_that_do_not_parse_or_are_too_large)
{
	char *large = malloc(2 << 20);

	cr_assert_eq(offer_text("ES256", es_key, es, "{\"version\":5}", 1), ERR_FEDLIST_SHAPE);
	cr_assert_eq(offer_text("ES256", es_key, es, "", 1), ERR_FEDLIST_SHAPE);
	memset(large, ' ', 2 << 20);
	strcpy(large + (1 << 20), "{\"version\":5,\"domainList\":[]}");
	cr_assert_eq(offer_text("ES256", es_key, es, large, 1), ERR_FEDLIST_SIZE);
	free(large);
}

static enum err
offer_dated(int version, int64_t iat, int64_t exp)
{
	char payload[256];

	snprintf(payload, sizeof(payload),
	    "{\"version\":%d,\"iat\":%lld,\"exp\":%lld,\"domainList\":[]}", version, (long long)iat,
	    (long long)exp);
	return offer_text("ES256", es_key, es, payload, clock_wall_s());
}

Test(fedstore, minds_the_dates_of_the_payload)
{
	int64_t now = clock_wall_s();

	cr_assert_eq(offer_dated(1, now - 3600, now + 3600), OK);
	cr_assert_eq(offer_dated(2, now + 30, now + 3600), OK, "clocks differ a little");
	cr_assert_eq(offer_dated(3, now - 3600, now - 30), OK, "clocks differ a little");
	cr_assert_eq(offer_dated(4, now + 300, now + 3600), ERR_FEDLIST_DATES);
	cr_assert_eq(offer_dated(5, now - 3600, now - 300), ERR_FEDLIST_DATES);
	cr_assert_eq(fedlist_version(fedstore_list(store)), 3);
}

Test(fedstore, forgives_blanks_around_a_file)
{
	char *header = pki_list_header("ES256", es, NULL);
	char *token = pki_jws(es_key, header, STR("{\"version\":1,\"domainList\":[]}")), *text;

	cr_assert(asprintf(&text, "\n %s\r\n\n", token) > 0);
	cr_assert_eq(offer_bytes(str_z(text), 1), OK);
	cr_assert_eq(offer_bytes(STR(" \n"), 1), ERR_JWS_SYNTAX);
	free(header);
	free(token);
	free(text);
}

Test(fedstore, survives_a_restart)
{
	cr_assert_eq(fedstore_restore(store), ERR_NOT_FOUND);
	cr_assert_eq(offer(9, "a.org", 100), OK);
	reopen();
	cr_assert(fedstore_list(store) == NULL);
	cr_assert_eq(fedstore_restore(store), OK);
	cr_assert(lists("a.org"));
	cr_assert_eq(fedstore_as_of(store), 100);
	cr_assert_eq(offer(8, "b.org", 200), ERR_FEDLIST_LOWER);
	fedstore_confirm(store, 700);
	reopen();
	cr_assert_eq(fedstore_restore(store), OK);
	cr_assert_eq(fedstore_as_of(store), 700);
}

static void
write_file(const char *path, struct str content)
{
	cr_assert_eq(fs_replace(path, content, 0600), 0);
}

Test(fedstore, does_not_trust_the_files_it_kept)
{
	struct buf text;

	cr_assert_eq(offer(9, "a.org", 100), OK);
	buf_init(&text, 1 << 20);
	cr_assert_eq(fs_read(jws_file, &text), 0);
	text.mem[text.end - 20] = text.mem[text.end - 20] == 'A' ? 'B' : 'A';
	write_file(jws_file, buf_str(&text));
	buf_fini(&text);
	reopen();
	cr_assert_eq(fedstore_restore(store), ERR_JWS_SIGNATURE);
	cr_assert(fedstore_list(store) == NULL);
	write_file(jws_file, STR(""));
	cr_assert_eq(fedstore_restore(store), ERR_JWS_SYNTAX);
	cr_assert_eq(unlink(jws_file), 0);
	cr_assert_eq(fedstore_restore(store), ERR_NOT_FOUND);
	cr_assert_eq(mkdir(jws_file, 0700), 0);
	cr_assert_eq(fedstore_restore(store), ERR_FILE);
}

Test(fedstore, has_no_age_when_the_state_file_is_not_of_the_list)
{
	static const char zeros[] =
	    "0000000000000000000000000000000000000000000000000000000000000000";
	char other[200], future[300];
	struct buf good;
	const struct str states[] = {
		STR(""),
		STR("{"),
		STR("[]"),
		STR("\0\0\0"),
		STR("{\"version\":9,\"as_of\":100}"),
		STR("{\"version\":8,\"as_of\":100}"),
		STR("{\"version\":10,\"as_of\":100,\"sha256\":\"\"}"),
		STR("{\"version\":-1,\"as_of\":100,\"sha256\":\"\"}"),
		{ other, 0 },
		{ future, 0 },
	};

	cr_assert_eq(offer(9, "a.org", 100), OK);
	buf_init(&good, 1024);
	cr_assert_eq(fs_read(state_file, &good), 0);
	snprintf(other, sizeof(other), "{\"version\":9,\"as_of\":100,\"sha256\":\"%s\"}", zeros);
	snprintf(future, sizeof(future), "{\"version\":9,\"as_of\":99999999999,\"sha256\":" STR_FMT,
	    STR_ARG(str_from(buf_str(&good), buf_len(&good) - 68)));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		write_file(state_file, states[i].n > 0 || i == 0 ? states[i] : str_z(states[i].p));
		reopen();
		cr_assert_eq(fedstore_restore(store), OK);
		cr_assert_eq(fedstore_as_of(store), 0, "%zu", i);
		cr_assert(lists("a.org"));
	}
	write_file(state_file, buf_str(&good));
	reopen();
	cr_assert_eq(fedstore_restore(store), OK);
	cr_assert_eq(fedstore_as_of(store), 100);
	cr_assert_eq(unlink(state_file), 0);
	reopen();
	cr_assert_eq(fedstore_restore(store), OK);
	cr_assert_eq(fedstore_as_of(store), 0);
	buf_fini(&good);
}

/* A process that ended, or that another one follows, may have written the list only. */
Test(fedstore, has_the_age_of_the_list_before_when_the_state_file_is_of_that)
{
	char *header = pki_list_header("ES256", es, NULL);
	char *token = pki_jws(es_key, header, STR("{\"version\":10,\"domainList\":[]}"));
	struct fedstore_offer o;

	cr_assert_eq(offer(9, "a.org", 100), OK);
	cr_assert_eq(fedstore_judge(store, str_z(token), NULL, &o), OK);
	fedstore_offer_drop(&o);
	reopen();
	cr_assert_eq(fedstore_restore(store), OK);
	cr_assert_eq(fedlist_version(fedstore_list(store)), 10);
	cr_assert_eq(fedstore_as_of(store), 100);
	free(header);
	free(token);
}

Test(fedstore, works_without_a_state_directory)
{
	struct fedstore_config cfg = {
		.name = "x", .anchors = anchors, .max_bytes = 100000, .max_entries = 5
	};

	fedstore_free(store);
	store = fedstore_new(&cfg);
	cr_assert_eq(fedstore_restore(store), ERR_NOT_FOUND);
	cr_assert_eq(offer(1, "a.org", 100), OK);
	cr_assert(lists("a.org"));
}

Test(fedstore, adopts_even_if_it_cannot_write)
{
	struct fedstore_config cfg = { .name = "x",
		.anchors = anchors,
		.max_bytes = 100000,
		.max_entries = 5,
		.state_dir = "/proc/nowhere" };

	log_threshold = LOG_ERROR;
	fedstore_free(store);
	store = fedstore_new(&cfg);
	cr_assert_eq(offer(1, "a.org", 100), OK);
	cr_assert(lists("a.org"));
}

/* Trust that downloads roots is taken away again: the list may lead to one of those only. */
Test(fedstore, a_list_that_other_issuers_vouched_for_is_not_inherited_by_anchors)
{
	struct fedstore_config cfg;
	struct fedstore *before;

	cr_assert_eq(offer(4, "a.example.org", 1700000000), OK);
	cfg = *fedstore_config(store);
	cfg.issuers = anchors;
	before = fedstore_new(&cfg);
	cr_assert(fedstore_inherit(before, store), "judged more strictly");
	fedstore_free(store);
	store = open_store();
	cr_assert_not(fedstore_inherit(store, before));
	fedstore_free(before);
}

Test(fedstore, goes_on_with_a_list_judged_under_the_same_demands)
{
	X509_STORE *same = pki_store(ca), *other = pki_store(bp), *mine = anchors;
	struct fedstore *next;

	cr_assert_eq(offer(4, "a.example.org", 1700000000), OK);
	cr_assert_eq(unlink(jws_file), 0); /* so that nothing can come from there */
	anchors = same;
	next = open_store();
	cr_assert(fedstore_inherit(next, store));
	cr_assert_eq(fedstore_list(next), fedstore_list(store));
	cr_assert_eq(fedstore_as_of(next), 1700000000);
	fedstore_free(next);
	anchors = other;
	next = open_store();
	cr_assert_not(fedstore_inherit(next, store), "another anchor: it must be verified anew");
	cr_assert_null(fedstore_list(next));
	fedstore_free(next);
	anchors = mine;
	X509_STORE_free(same);
	X509_STORE_free(other);
}
