/* SPDX-License-Identifier: Apache-2.0 */
/* Which homeserver may notify: every method right, wrong, absent and malformed, alone and together.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/jose/fingerprint.h"
#include "pushgw/notify/clients.h"
#include "tests/unit/pki.h"

#define ISSUER "https://reg.test"
#define BASIC_LINE "WWW-Authenticate: Basic realm=\"schleuse-pushgw\", charset=\"UTF-8\"\r\n"
#define BEARER_LINE "WWW-Authenticate: Bearer realm=\"schleuse-pushgw\"\r\n"
#define INVALID_LINE \
	"WWW-Authenticate: Bearer realm=\"schleuse-pushgw\", error=\"invalid_token\"\r\n"

static struct clients_conf conf;
static struct client_conf homeservers[3];
static struct exchange ex;
static struct h1_field head[2];
static struct str lines;
static EVP_PKEY *key;
static struct network nets[4];
static char *net_names[4];

static void
setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	conf = (struct clients_conf){ 0 };
	arena_init(&ex.arena, 1 << 20);
	ex.peer = "192.0.2.7";
	ex.req = (struct h1_head){ .target = STR("/_matrix/push/v1/notify"), .fields = head };
	key = pki_key(PKI_P256);
}

static void
teardown(void)
{
	EVP_PKEY_free(key);
	arena_fini(&ex.arena);
}

TestSuite(push_clients, .init = setup, .fini = teardown);

/* --- settings --- */

static void
allow_network(const char *text)
{
	cr_assert(network_parse(str_z(text), &nets[conf.from.n]));
	net_names[conf.networks.n++] = (char *)(uintptr_t)text;
	conf.networks.v = net_names;
	conf.from.v = nets;
	conf.from.n++;
}

static void
allow_basic(void)
{
	static char one[] = "hs1", two[] = "hs2", empty[] = "empty";

	homeservers[0] = (struct client_conf){ .name = one, .password = STR("first secret") };
	homeservers[1] = (struct client_conf){ .name = two, .password = STR("sec\xc3\xb6nd:") };
	homeservers[2] = (struct client_conf){ .name = empty };
	conf.basic = homeservers;
	conf.n_basic = 3;
}

static void
allow_tokens(void)
{
	static char name[] = "key.pem", issuer[] = ISSUER, audience[] = "push";
	static char *names[1] = { name };

	cr_assert(EVP_PKEY_up_ref(key));
	cr_assert(jwt_key_set(&conf.keys[0], key));
	conf.token_keys = (struct conf_list){ names, 1 };
	conf.token_issuer = issuer;
	conf.token_audience = audience;
}

static void
allow_certificate(const char *name)
{
	static char *names[1], copy[128];

	snprintf(copy, sizeof(copy), "%s", name);
	names[0] = copy;
	conf.certificates = (struct conf_list){ names, 1 };
}

static void
forget_tokens(void)
{
	EVP_PKEY_free(conf.keys[0].key);
}

/* --- asking --- */

static enum err
ask(const char *authorization)
{
	head[0] = (struct h1_field){ STR("Authorization"),
		authorization != NULL ? str_z(authorization) : STR_NONE, H1_F_AUTHORIZATION,
		false };
	ex.req.n_fields = authorization != NULL ? 1 : 0;
	return clients_check(&conf, &ex, &lines);
}

static const char *
basic(const char *text)
{
	static char value[256];

	strcpy(value, "Basic ");
	sodium_bin2base64(value + 6, sizeof(value) - 6, (const unsigned char *)text, strlen(text),
	    sodium_base64_VARIANT_ORIGINAL);
	return value;
}

struct token {
	const char *alg, *typ, *issuer, *audience;
	EVP_PKEY *key;
	const char *kid;
	int64_t issued_in, ends_in;
};

static const char *
bearer(const struct token *t)
{
	static char value[4096];
	char header[256], payload[512], *token;
	int64_t now = clock_wall_s();

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}",
	    t->alg != NULL ? t->alg : "ES256", t->typ != NULL ? t->typ : "at+jwt",
	    t->kid != NULL ? t->kid : conf.keys[0].kid);
	snprintf(payload, sizeof(payload),
	    "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"p\",\"iat\":%lld,\"exp\":%lld}",
	    t->issuer != NULL ? t->issuer : ISSUER, t->audience != NULL ? t->audience : "push",
	    (long long)(now + t->issued_in), (long long)(now + t->ends_in));
	token = pki_jws(t->key != NULL ? t->key : key, header, str_z(payload));
	snprintf(value, sizeof(value), "Bearer %s", token);
	free(token);
	return value;
}

static enum err
ask_with(const struct pki_certificate *want)
{
	enum err err;

	ex.certificate = pki_certificate(key, want);
	err = ask(NULL);
	X509_free(ex.certificate);
	ex.certificate = NULL;
	return err;
}

#define SAYS(text) cr_assert(str_eq(lines, STR(text)), "have '" STR_FMT "'", STR_ARG(lines))

/* --- networks --- */

Test(push_clients, without_settings_anybody_may_notify)
{
	cr_assert_eq(ask(NULL), OK);
	cr_assert_eq(ask("Whatever it is"), OK);
	SAYS("");
}

Test(push_clients, networks_are_judged_by_the_address_of_the_connection)
{
	static const struct {
		const char *peer;
		enum err want;
	} rows[] = {
		{ "192.0.2.0", OK },
		{ "192.0.2.255", OK },
		{ "192.0.3.0", ERR_NOTIFY_NETWORK },
		{ "::ffff:192.0.2.7", OK },
		{ "::ffff:192.0.3.7", ERR_NOTIFY_NETWORK },
		{ "198.51.100.9", OK },
		{ "198.51.100.8", ERR_NOTIFY_NETWORK },
		{ "2001:db8:1::1", OK },
		{ "2001:db9::1", ERR_NOTIFY_NETWORK },
		{ "", ERR_NOTIFY_NETWORK },
		{ "localhost", ERR_NOTIFY_NETWORK },
	};

	allow_network("192.0.2.0/24");
	allow_network("198.51.100.9");
	allow_network("2001:db8::/32");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ex.peer = rows[i].peer;
		cr_assert_eq(ask(NULL), rows[i].want, "%s", rows[i].peer);
		SAYS("");
	}
}

Test(push_clients, a_network_whose_list_is_empty_in_effect_lets_nobody_in)
{
	allow_network("192.0.2.0/24");
	conf.from.n = 0;
	cr_assert_eq(ask(NULL), ERR_NOTIFY_NETWORK);
}

Test(push_clients, the_right_password_from_the_wrong_network_is_refused)
{
	allow_basic();
	allow_network("198.51.100.0/24");
	cr_assert_eq(ask(basic("hs1:first secret")), ERR_NOTIFY_NETWORK);
	SAYS("");
}

/* --- passwords --- */

Test(push_clients, passwords)
{
	static const struct {
		const char *text;
		enum err want;
	} rows[] = {
		{ "hs1:first secret", OK },
		{ "hs2:sec\xc3\xb6nd:", OK },
		{ "hs1:first secreT", ERR_AUTH_REFUSED },
		{ "hs1:first secret ", ERR_AUTH_REFUSED },
		{ "hs1:first secre", ERR_AUTH_REFUSED },
		{ "hs1:", ERR_AUTH_REFUSED },
		{ "hs2:first secret", ERR_AUTH_REFUSED },
		{ "HS1:first secret", ERR_AUTH_REFUSED },
		{ "hs3:first secret", ERR_AUTH_REFUSED },
		{ "hs3:", ERR_AUTH_REFUSED },
		{ "hs3:nobody's", ERR_AUTH_REFUSED },
		{ "empty:", ERR_AUTH_REFUSED },
		{ "empty:nobody's", ERR_AUTH_REFUSED },
		{ ":first secret", ERR_AUTH_SYNTAX },
		{ "hs1", ERR_AUTH_SYNTAX },
	};

	allow_basic();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(ask(basic(rows[i].text)), rows[i].want, "%s", rows[i].text);
		if (rows[i].want == OK)
			SAYS("");
		else
			SAYS(BASIC_LINE);
	}
}

Test(push_clients, who_shows_nothing_is_told_what_is_wanted)
{
	allow_basic();
	cr_assert_eq(ask(NULL), ERR_NOTIFY_CLIENT);
	SAYS(BASIC_LINE);
	cr_assert_eq(ask("Basic"), ERR_AUTH_SYNTAX);
	cr_assert_eq(ask("Digest username=\"hs1\""), ERR_AUTH_SYNTAX);
	cr_assert_eq(ask(""), ERR_AUTH_SYNTAX);
	cr_assert_eq(ask("Bearer abc"), ERR_AUTH_REFUSED, "no tokens here");
	SAYS(BASIC_LINE);
}

Test(push_clients, credentials_twice_or_in_the_url_are_refused)
{
	allow_basic();
	head[0] = head[1] = (struct h1_field){ STR("Authorization"),
		str_z(basic("hs1:first secret")), H1_F_AUTHORIZATION, false };
	ex.req.n_fields = 2;
	cr_assert_eq(clients_check(&conf, &ex, &lines), ERR_AUTH_SEVERAL);
	ex.req.target = STR("/_matrix/push/v1/notify?access_token=abc");
	cr_assert_eq(ask(basic("hs1:first secret")), ERR_AUTH_URL);
	SAYS(BASIC_LINE);
}

/* --- tokens --- */

Test(push_clients, tokens_of_the_registration_service)
{
	EVP_PKEY *other = pki_key(PKI_P256), *brainpool = pki_key(PKI_BRAINPOOL);
	const struct {
		const char *what;
		struct token token;
		enum err want;
	} rows[] = {
		{ "right", { .ends_in = 600 }, OK },
		{ "of a clock that is ahead", { .issued_in = 30, .ends_in = 600 }, OK },
		{ "ended", { .issued_in = -600, .ends_in = -1 }, ERR_AUTH_TOKEN },
		{ "of the future", { .issued_in = 300, .ends_in = 600 }, ERR_AUTH_TOKEN },
		{ "for too long", { .ends_in = 7200 }, ERR_AUTH_TOKEN },
		{ "of another issuer", { .ends_in = 600, .issuer = "https://evil.test" },
		    ERR_AUTH_TOKEN },
		{ "for another service", { .ends_in = 600, .audience = ISSUER }, ERR_AUTH_TOKEN },
		{ "of another key", { .ends_in = 600, .key = other }, ERR_AUTH_TOKEN },
		{ "of an unknown key", { .ends_in = 600, .key = other, .kid = "x" },
		    ERR_AUTH_TOKEN },
		{ "on another curve", { .ends_in = 600, .key = brainpool, .alg = "BP256R1" },
		    ERR_AUTH_TOKEN },
		{ "of no algorithm", { .ends_in = 600, .alg = "none" }, ERR_AUTH_TOKEN },
		{ "for something else", { .ends_in = 600, .typ = "passport" }, ERR_AUTH_TOKEN },
	};

	allow_tokens();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(ask(bearer(&rows[i].token)), rows[i].want, "%s", rows[i].what);
		if (rows[i].want == OK)
			SAYS("");
		else
			SAYS(INVALID_LINE);
	}
	EVP_PKEY_free(other);
	EVP_PKEY_free(brainpool);
	forget_tokens();
}

Test(push_clients, what_is_no_token)
{
	allow_tokens();
	cr_assert_eq(ask(NULL), ERR_NOTIFY_CLIENT);
	SAYS(BEARER_LINE);
	cr_assert_eq(ask("Bearer"), ERR_AUTH_SYNTAX);
	cr_assert_eq(ask("Bearer a b"), ERR_AUTH_SYNTAX);
	SAYS(BEARER_LINE);
	cr_assert_eq(ask("Bearer a.b.c"), ERR_AUTH_TOKEN);
	cr_assert_eq(ask("Bearer abc"), ERR_AUTH_TOKEN);
	SAYS(INVALID_LINE);
	cr_assert_eq(ask(basic("hs1:first secret")), ERR_AUTH_REFUSED, "no passwords here");
	forget_tokens();
}

Test(push_clients, a_token_of_any_key_counts)
{
	EVP_PKEY *second = pki_key(PKI_P256);
	static char name[] = "key.pem";
	static char *names[2] = { name, name };
	struct token t = { .ends_in = 600, .key = second };

	allow_tokens();
	cr_assert(jwt_key_set(&conf.keys[1], second));
	t.kid = conf.keys[1].kid;
	cr_assert_eq(ask(bearer(&t)), ERR_AUTH_TOKEN);
	conf.token_keys = (struct conf_list){ names, 2 };
	cr_assert_eq(ask(bearer(&t)), OK);
	EVP_PKEY_free(second);
	forget_tokens();
}

/* --- certificates --- */

Test(push_clients, certificates_by_dns_name)
{
	static const struct {
		const char *what;
		struct pki_certificate want;
		enum err err;
	} rows[] = {
		{ "right", { .names = "DNS:hs.example.test" }, OK },
		{ "right, among others", { .names = "DNS:x.test,DNS:HS.example.test" }, OK },
		{ "another", { .names = "DNS:xhs.example.test" }, ERR_NOTIFY_CERTIFICATE },
		{ "below", { .names = "DNS:a.hs.example.test" }, ERR_NOTIFY_CERTIFICATE },
		{ "wildcard", { .names = "DNS:*.example.test" }, ERR_NOTIFY_CERTIFICATE },
		{ "subject only", { .common_name = "hs.example.test" }, ERR_NOTIFY_CERTIFICATE },
		{ "mail", { .names = "email:a@hs.example.test" }, ERR_NOTIFY_CERTIFICATE },
		{ "ended", { .names = "DNS:hs.example.test", .from_days = -9, .to_days = -1 },
		    ERR_NOTIFY_CERTIFICATE },
	};

	allow_certificate("hs.example.test");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(ask_with(&rows[i].want), rows[i].err, "%s", rows[i].what);
	cr_assert_eq(ask(NULL), ERR_NOTIFY_CERTIFICATE);
	cr_assert_eq(ask(basic("hs1:first secret")), ERR_NOTIFY_CERTIFICATE);
	SAYS("");
}

Test(push_clients, certificates_by_fingerprint_or_any)
{
	struct pki_certificate want = { .common_name = "x" };
	char fingerprint[FINGERPRINT + 1];

	ex.certificate = pki_certificate(key, &want);
	cr_assert(fingerprint_of(ex.certificate, fingerprint));
	allow_certificate(fingerprint);
	cr_assert_eq(ask(NULL), OK);
	X509_free(ex.certificate);
	cr_assert_eq(ask_with(&want), ERR_NOTIFY_CERTIFICATE, "a new one");
	allow_certificate("*");
	cr_assert_eq(ask_with(&want), OK);
	cr_assert_eq(ask(NULL), ERR_NOTIFY_CERTIFICATE);
}

Test(push_clients, a_certificate_counts_only_where_certificates_do)
{
	struct pki_certificate want = { .names = "DNS:hs.example.test" };

	allow_basic();
	cr_assert_eq(ask_with(&want), ERR_NOTIFY_CLIENT);
}

/* --- several --- */

Test(push_clients, any_one_method_suffices)
{
	struct pki_certificate right = { .names = "DNS:hs.example.test" },
			       wrong = { .names = "DNS:x" };
	struct token token = { .ends_in = 600 };

	allow_basic();
	allow_tokens();
	allow_certificate("hs.example.test");
	cr_assert_eq(ask(basic("hs1:first secret")), OK);
	cr_assert_eq(ask(bearer(&token)), OK);
	cr_assert_eq(ask_with(&right), OK);
	cr_assert_eq(ask_with(&wrong), ERR_NOTIFY_CLIENT);
	SAYS(BASIC_LINE BEARER_LINE);
	token.audience = "other";
	cr_assert_eq(ask(bearer(&token)), ERR_AUTH_TOKEN);
	SAYS(BASIC_LINE INVALID_LINE);
	cr_assert_eq(ask(basic("hs1:wrong")), ERR_AUTH_REFUSED);
	SAYS(BASIC_LINE BEARER_LINE);
	ex.certificate = pki_certificate(key, &right);
	cr_assert_eq(ask(basic("hs1:wrong")), OK, "the certificate is right");
	X509_free(ex.certificate);
	forget_tokens();
}
