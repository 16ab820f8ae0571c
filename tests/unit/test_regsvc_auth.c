/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of clients of the three methods (CP-1.2.2-3 to -5, CP-1.2.3-B1 to -B3, -O2, -O3, -O9,
 * CP-1.2.4-1, FDS-2.6.4.2-3): who is let in, who is told what. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/jose/fingerprint.h"
#include "lib/store/store_file.h"
#include "regsvc/auth_int.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

#define ONE "919108f7-52d1-4320-9bac-f847db4148a8"
#define TWO "2a1b3c4d-0000-4000-8000-000000000000"
#define BASIC "WWW-Authenticate: Basic realm=\"schleuse-regsvc\", charset=\"UTF-8\"\r\n"
#define BEARER "WWW-Authenticate: Bearer realm=\"schleuse-regsvc\""
#define INVALID BEARER ", error=\"invalid_token\"\r\n"

static char folder[] = "/tmp/regsvc-auth-XXXXXX";
static char host_name[] = "reg.test", *host = host_name;
static struct regsvc_conf conf;
static struct loop *loop;
static struct store *store;
static struct accesslog *access_log;
static struct auth *auth;
static struct exchange ex;
static struct h1_field fields[2];
static EVP_PKEY *key;
static X509 *certificate;
/* the last answer */
static int answers;
static enum err last;
static struct principal who;
static char said[512];

static void
configure(void)
{
	conf = (struct regsvc_conf){
		.service.tls.hosts = { &host, 1 },
		.clients = { .max = 100,
		    .password_memory = crypto_pwhash_MEMLIMIT_MIN,
		    .password_passes = 1,
		    .password_threads = 1,
		    .password_queue = 2,
		    .proven_lifetime = 60000,
		    .proven_max = 64 },
		.token = { .lifetime = 600000 },
		.guard = { .failures = 5, .forget = 3600000, .places = 64 },
		.access_log = { .retention = UINT64_C(8640000000), .buffer_max = 65536 },
	};
}

static void
setup(void)
{
	const struct store_config sc = { .value_max = 65536, .keys_max = 100 };

	cr_assert_geq(sodium_init(), 0);
	configure();
	loop = loop_new(NULL);
	cr_assert_not_null(mkdtemp(folder));
	store = store_file_open(loop, &sc, folder);
	access_log = accesslog_new(loop, folder, &conf.access_log);
	cr_assert(store != NULL && access_log != NULL);
	auth = auth_new(loop, store, access_log, &conf);
	cr_assert_not_null(auth);
	UNTIL(loop, clients_known(auth->login.clients) && tokenkeys_signer(auth->keys) != NULL);
	key = pki_key(PKI_P256);
	certificate = pki_certificate(key, &(struct pki_certificate){ .common_name = "proxy" });
	arena_init(&ex.arena, 1 << 20);
	ex.peer = "192.0.2.1";
	ex.req.target = STR("/v1/" ONE "/federation-list.jws");
	ex.req.fields = fields;
}

static void
teardown(void)
{
	auth_free(auth);
	accesslog_free(access_log);
	store_free(store);
	loop_free(loop);
	arena_fini(&ex.arena);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void
on_stored(void *arg, enum err err)
{
	cr_assert_eq(err, OK);
	++*(int *)arg;
}

static void
put(const struct client *c)
{
	int stored = 0;

	cr_assert_not_null(clients_put(auth->login.clients, c, on_stored, &stored));
	UNTIL(loop, stored > 0);
}

/* A client with the secret "right", or of the certificate. */
static struct client
client_of(const char *id, enum principal_method method, bool by_certificate)
{
	struct client c = { .subscription = ONE,
		.tenant = "t",
		.method = method,
		.by_certificate = by_certificate,
		.scopes = SCOPE_LIST | SCOPE_CHANGES };

	snprintf(c.id, sizeof(c.id), "%s", id);
	if (by_certificate)
		cr_assert(fingerprint_of(certificate, c.proof));
	else
		cr_assert_eq(crypto_pwhash_str_alg(c.proof, "right", 5, 1,
				 crypto_pwhash_MEMLIMIT_MIN, crypto_pwhash_ALG_ARGON2ID13),
		    0);
	put(&c);
	return c;
}

static void
on_answer(void *arg, enum err err, const struct principal *p, struct str lines)
{
	cr_assert_null(arg);
	cr_assert_eq(p != NULL, err == OK);
	if (p != NULL)
		who = *p;
	last = err;
	snprintf(said, sizeof(said), STR_FMT, STR_ARG(lines));
	answers++;
}

static enum err
ask(const char *authorization)
{
	int before = answers;

	fields[0] = (struct h1_field){ STR("Authorization"), str_z(authorization),
		H1_F_AUTHORIZATION, false };
	ex.req.n_fields = authorization != NULL ? 1 : 0;
	cr_assert_not_null(auth_check(auth, &ex, on_answer, NULL));
	cr_assert_eq(answers, before, "not before it returns");
	UNTIL(loop, answers > before);
	return last;
}

static enum err
ask_basic(const char *id, const char *secret)
{
	char text[128], value[256] = "Basic ";
	int n = snprintf(text, sizeof(text), "%s:%s", id, secret);

	sodium_bin2base64(value + 6, sizeof(value) - 6, (const unsigned char *)text, (size_t)n,
	    sodium_base64_VARIANT_ORIGINAL);
	return ask(value);
}

static const char *
bearer(const struct client *c, unsigned scopes)
{
	static char value[4096];
	struct str t = accesstoken_make(
	    &ex.arena, &auth->rules, tokenkeys_signer(auth->keys), c, scopes, clock_wall_s());

	snprintf(value, sizeof(value), "Bearer " STR_FMT, STR_ARG(t));
	return value;
}

TestSuite(auth, .init = setup, .fini = teardown);

Test(auth, basic)
{
	client_of("p", PRINCIPAL_BASIC, false);
	cr_assert_eq(ask_basic("p", "right"), OK);
	cr_assert_str_eq(who.client, "p");
	cr_assert_str_eq(who.subscription, ONE);
	cr_assert_eq(who.scopes, (unsigned)(SCOPE_LIST | SCOPE_CHANGES));
	cr_assert_eq(ask_basic("p", "wrong"), ERR_AUTH_REFUSED);
	cr_assert_str_eq(said, BASIC);
	cr_assert_eq(ask_basic("q", "right"), ERR_AUTH_REFUSED);
	cr_assert_str_eq(said, BASIC, "the same for who is unknown");
	cr_assert_eq(ask(NULL), ERR_AUTH_MISSING, "each request needs it");
	cr_assert_str_eq(said, BASIC BEARER "\r\n");
}

Test(auth, bearer)
{
	struct client c = client_of("p", PRINCIPAL_OAUTH, false);

	cr_assert_eq(ask(bearer(&c, SCOPE_LIST)), OK);
	cr_assert_str_eq(who.client, "p");
	cr_assert_eq(who.scopes, (unsigned)SCOPE_LIST, "no more than the token says");
	cr_assert_eq(ask("Bearer abc"), ERR_AUTH_TOKEN);
	cr_assert_str_eq(said, INVALID);
}

Test(auth, a_token_of_another_subscription_or_a_revoked_client_does_not_count)
{
	struct client c = client_of("p", PRINCIPAL_OAUTH, false), other = c;
	char value[4096];

	snprintf(other.subscription, sizeof(other.subscription), TWO);
	cr_assert_eq(ask(bearer(&other, SCOPE_LIST)), ERR_AUTH_TOKEN);
	snprintf(value, sizeof(value), "%s", bearer(&c, SCOPE_LIST));
	cr_assert_eq(ask(value), OK);
	c.scopes = SCOPE_CHANGES;
	put(&c);
	cr_assert_eq(ask(value), OK);
	cr_assert_eq(who.scopes, 0u, "what was taken from the client is gone from its tokens");
	c.revoked = true;
	put(&c);
	cr_assert_eq(ask(value), ERR_AUTH_TOKEN);
}

Test(auth, tokens_end_with_the_secret_they_were_issued_for)
{
	struct client c = client_of("p", PRINCIPAL_OAUTH, false);
	char value[4096];

	snprintf(value, sizeof(value), "%s", bearer(&c, SCOPE_LIST));
	snprintf(c.previous, sizeof(c.previous), "%s", c.proof);
	c.rotated = clock_wall_s() + 1;
	c.previous_until = clock_wall_s() + 1000;
	put(&c);
	cr_assert_eq(ask(value), OK, "the old secret counts still");
	c.previous[0] = '\0';
	put(&c);
	cr_assert_eq(ask(value), ERR_AUTH_TOKEN);
}

Test(auth, an_expired_certificate_does_not_count_on_an_old_connection)
{
	X509_free(certificate);
	certificate = pki_certificate(key,
	    &(struct pki_certificate){ .common_name = "proxy", .from_days = -9, .to_days = -1 });
	client_of("p", PRINCIPAL_MTLS, true);
	ex.certificate = certificate;
	cr_assert_eq(ask(NULL), ERR_AUTH_REFUSED);
}

Test(auth, certificate)
{
	struct client c = client_of("p", PRINCIPAL_MTLS, true);

	ex.certificate = certificate;
	cr_assert_eq(ask(NULL), OK);
	cr_assert_str_eq(who.client, "p");
	c.revoked = true;
	put(&c);
	cr_assert_eq(ask(NULL), ERR_AUTH_REFUSED);
}

Test(auth, a_certificate_of_nobody_or_of_another_method_is_refused)
{
	ex.certificate = certificate;
	cr_assert_eq(ask(NULL), ERR_AUTH_REFUSED);
	client_of("p", PRINCIPAL_OAUTH, true);
	cr_assert_eq(ask(NULL), ERR_AUTH_REFUSED, "it is for the token endpoint");
}

Test(auth, a_client_is_refused_with_other_methods)
{
	struct client basic = client_of("b", PRINCIPAL_BASIC, false);

	client_of("o", PRINCIPAL_OAUTH, false);
	cr_assert_eq(ask_basic("o", "right"), ERR_AUTH_REFUSED);
	cr_assert_eq(ask(bearer(&basic, SCOPE_LIST)), ERR_AUTH_TOKEN);
	client_of("m", PRINCIPAL_MTLS, true);
	ex.certificate = certificate;
	cr_assert_eq(ask_basic("m", "right"), ERR_AUTH_REFUSED);
}

Test(auth, who_fails_too_often_has_to_wait_but_not_who_is_proven)
{
	client_of("p", PRINCIPAL_BASIC, false);
	client_of("q", PRINCIPAL_BASIC, false);
	cr_assert_eq(ask_basic("p", "right"), OK);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask_basic("p", "wrong"), ERR_AUTH_REFUSED);
	cr_assert_eq(ask_basic("q", "right"), ERR_AUTH_SLOWED);
	cr_assert_eq(strncmp(said, "Retry-After: 36", 15), 0, "%s", said);
	cr_assert_eq(ask_basic("p", "right"), OK);
	ex.peer = "192.0.2.2";
	cr_assert_eq(ask_basic("q", "right"), OK, "%s", err_name(last));
}

Test(auth, a_changed_secret_is_proven_anew)
{
	struct client c = client_of("p", PRINCIPAL_BASIC, false);

	cr_assert_eq(ask_basic("p", "right"), OK);
	cr_assert_eq(crypto_pwhash_str_alg(c.proof, "other", 5, 1, crypto_pwhash_MEMLIMIT_MIN,
			 crypto_pwhash_ALG_ARGON2ID13),
	    0);
	put(&c);
	cr_assert_eq(ask_basic("p", "right"), ERR_AUTH_REFUSED);
	cr_assert_eq(ask_basic("p", "other"), OK);
}

/* Reading all of them again, which follows each change, takes a while and may have begun before. */
Test(auth, a_new_client_is_not_undone_by_what_was_read_before)
{
	struct client c = client_of("c0", PRINCIPAL_BASIC, false);

	for (int i = 1; i < 30; i++) {
		snprintf(c.id, sizeof(c.id), "c%d", i);
		put(&c);
		for (int turns = 0; turns < 20; turns++) {
			cr_assert_not_null(clients_find(auth->login.clients, str_z(c.id)));
			lab_turn(loop);
		}
	}
}

Test(auth, several_fields_and_urls_are_refused)
{
	client_of("p", PRINCIPAL_BASIC, false);
	fields[1] =
	    (struct h1_field){ STR("Authorization"), STR("Bearer x"), H1_F_AUTHORIZATION, false };
	ex.req.n_fields = 2;
	fields[0] = fields[1];
	cr_assert_not_null(auth_check(auth, &ex, on_answer, NULL));
	UNTIL(loop, answers > 0);
	cr_assert_eq(last, ERR_AUTH_SEVERAL);
	ex.req.target = STR("/v1/x?access_token=abc");
	cr_assert_eq(ask(NULL), ERR_AUTH_URL);
}

Test(auth, more_than_can_wait_get_503)
{
	int n = 0;

	client_of("p", PRINCIPAL_BASIC, false);
	fields[0] = (struct h1_field){ STR("Authorization"), STR("Basic cDp3cm9uZw=="),
		H1_F_AUTHORIZATION, false };
	ex.req.n_fields = 1;
	for (; n < 4; n++) /* one runs, two wait */
		cr_assert_not_null(auth_check(auth, &ex, on_answer, NULL));
	UNTIL(loop, answers > 0);
	cr_assert_eq(last, ERR_OVERLOAD);
	cr_assert_str_eq(said, "Retry-After: 1\r\n");
	UNTIL(loop, answers == n);
}

static void
count_refused(void *arg, enum err err, const struct principal *p, struct str lines)
{
	int *refused = arg;

	(void)p;
	(void)lines;
	*refused += err == ERR_AUTH_REFUSED;
	answers++;
}

/* CP-1.2.3-B2 */
Test(auth, guesses_at_the_same_time_count_as_much_as_one_after_the_other)
{
	int refused = 0;

	client_of("p", PRINCIPAL_BASIC, false);
	conf.clients.password_queue = 100;
	auth_adopt(auth, store, &conf);
	fields[0] = (struct h1_field){ STR("Authorization"), STR("Basic cDp3cm9uZw=="),
		H1_F_AUTHORIZATION, false };
	ex.req.n_fields = 1;
	for (int i = 0; i < 20; i++)
		cr_assert_not_null(auth_check(auth, &ex, count_refused, &refused));
	UNTIL(loop, answers == 20);
	cr_assert_eq(refused, 5, "%d were looked at", refused);
	cr_assert_eq(ask_basic("p", "right"), ERR_AUTH_SLOWED);
}

Test(auth, guesses_whose_answer_nobody_waits_for_count)
{
	struct auth_call *c;

	client_of("p", PRINCIPAL_BASIC, false);
	conf.clients.password_threads = 8; /* each runs at once */
	auth_adopt(auth, store, &conf);
	cr_assert_eq(ask_basic("p", "wrong"), ERR_AUTH_REFUSED);
	for (int i = 0; i < 4; i++) {
		fields[0].value = STR("Basic cDp3cm9uZw==");
		c = auth_check(auth, &ex, on_answer, NULL);
		cr_assert_not_null(c);
		auth_cancel(c);
	}
	cr_assert_eq(ask_basic("p", "right"), ERR_AUTH_SLOWED);
}

Test(auth, a_cancelled_call_is_never_answered)
{
	struct auth_call *c;

	client_of("p", PRINCIPAL_BASIC, false);
	fields[0] = (struct h1_field){ STR("Authorization"), STR("Basic cDpyaWdodA=="),
		H1_F_AUTHORIZATION, false };
	ex.req.n_fields = 1;
	c = auth_check(auth, &ex, on_answer, NULL);
	cr_assert_not_null(c);
	auth_cancel(c);
	cr_assert_eq(ask_basic("p", "right"), OK);
	cr_assert_eq(answers, 1);
}
