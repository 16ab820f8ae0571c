/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7617 with its examples, RFC 6750 (CP-1.2.3-B1, -O9); forms of RFC 6749; UUIDs of version 4
 * (FDS-2.6.4.1-4a); scopes; client records. */
#include <criterion/criterion.h>

#include "lib/http/credentials.h"
#include "regsvc/client.h"
#include "regsvc/form.h"

static struct arena arena;
static struct credentials c;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
}

static void
teardown(void)
{
	arena_fini(&arena);
}

static enum err
parse(const char *value)
{
	return credentials_parse(&arena, str_z(value), &c);
}

#define IS(s, text) cr_assert(str_eq((s), STR(text)), "have '" STR_FMT "'", STR_ARG(s))

TestSuite(credentials, .init = setup, .fini = teardown);

Test(credentials, reads_the_examples_of_rfc_7617)
{
	cr_assert_eq(parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), OK);
	cr_assert_eq(c.kind, CREDENTIALS_BASIC);
	IS(c.id, "Aladdin");
	IS(c.secret, "open sesame");
	cr_assert_eq(parse("Basic dGVzdDoxMjPCow=="), OK, "UTF-8");
	IS(c.id, "test");
	IS(c.secret, "123\xc2\xa3");
	cr_assert_eq(parse("bAsIc   dGVzdDoxMjPCow=="), OK, "the scheme in any case");
}

Test(credentials, takes_the_first_colon)
{
	cr_assert_eq(parse("Basic YTpiOmM="), OK);
	IS(c.id, "a");
	IS(c.secret, "b:c");
	cr_assert_eq(parse("Basic YTo="), OK);
	cr_assert_eq(c.secret.n, 0, "an empty secret is one");
}

Test(credentials, refuses_what_is_no_basic)
{
	static const char *const bad[] = {
		"Basic",
		"Basic ",
		"Basic YWJj", /* abc */
		"Basic OmI=", /* :b */
		"Basic YTpi\tYTpi",
		"Basic YTpi YTpi",
		"Basic YTqj",     /* not UTF-8 */
		"Basic YTpiCg==", /* a line feed */
		"Basic YTpi!",
		"Basic, YTpi",
		"",
		"Digest username=\"a\"",
		"BasicYTpi",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), ERR_AUTH_SYNTAX, "%s", bad[i]);
}

Test(credentials, reads_bearer_tokens)
{
	cr_assert_eq(parse("Bearer mF_9.B5f-4.1JqM"), OK);
	cr_assert_eq(c.kind, CREDENTIALS_BEARER);
	IS(c.token, "mF_9.B5f-4.1JqM");
	cr_assert_eq(parse("Bearer a b"), ERR_AUTH_SYNTAX);
	cr_assert_eq(parse("Bearer "), ERR_AUTH_SYNTAX);
	cr_assert_eq(parse("Bearer =="), ERR_AUTH_SYNTAX);
	cr_assert_eq(parse("Bearer a,Basic YTpi"), ERR_AUTH_SYNTAX);
}

static enum err
read_fields(const char *target, size_t n)
{
	struct h1_field f[2] = {
		{ STR("Authorization"), STR("Basic YTpi"), H1_F_AUTHORIZATION, false },
		{ STR("Authorization"), STR("Basic YTpi"), H1_F_AUTHORIZATION, false },
	};
	struct h1_head req = { .target = str_z(target), .fields = f, .n_fields = n };

	return credentials_read(&arena, &req, &c);
}

Test(credentials, refuses_several_fields_and_urls)
{
	cr_assert_eq(read_fields("/v1/x", 1), OK);
	cr_assert_eq(read_fields("/v1/x", 2), ERR_AUTH_SEVERAL);
	cr_assert_eq(read_fields("/v1/x", 0), OK);
	cr_assert_eq(c.kind, CREDENTIALS_NONE);
	cr_assert_eq(read_fields("/v1/x?version=3", 1), OK);
	cr_assert_eq(read_fields("/v1/x?version=3&access_token=a", 1), ERR_AUTH_URL);
	cr_assert_eq(read_fields("/token?client_secret=a", 0), ERR_AUTH_URL);
}

Test(credentials, reads_forms)
{
	struct form f;

	cr_assert_eq(
	    form_parse(&arena,
		STR("grant_type=client_credentials&client_id=a%2Db&client_secret=c+d&x=y"), &f),
	    OK);
	IS(f.grant_type, "client_credentials");
	IS(f.client_id, "a-b");
	IS(f.client_secret, "c d");
	cr_assert_null(f.scope.p);
	cr_assert_eq(form_parse(&arena, STR("scope=&scope="), &f), OK, "empty: as if not there");
	cr_assert_null(f.scope.p);
}

Test(credentials, refuses_malformed_forms)
{
	struct form f;

	cr_assert_eq(form_parse(&arena, STR("scope=a&scope=a"), &f), ERR_AUTH_SYNTAX);
	cr_assert_eq(form_parse(&arena, STR("sc%6Fpe=a&scope=a"), &f), ERR_AUTH_SYNTAX);
	cr_assert_eq(form_parse(&arena, STR("scope=%4"), &f), ERR_AUTH_SYNTAX);
	cr_assert_eq(form_parse(&arena, STR("scope=%zz"), &f), ERR_AUTH_SYNTAX);
	cr_assert_eq(form_parse(&arena, STR("scope=%00"), &f), ERR_AUTH_SYNTAX);
	cr_assert_eq(form_parse(&arena, STR("scope=%ff"), &f), ERR_AUTH_SYNTAX);
}

Test(uuid, new_ones_are_of_version_4_and_differ)
{
	char a[UUID_TEXT + 1], b[UUID_TEXT + 1], out[UUID_TEXT + 1];

	for (int i = 0; i < 100; i++) {
		uuid_new(a);
		uuid_new(b);
		cr_assert(uuid_parse(str_z(a), out));
		cr_assert_str_eq(a, out);
		cr_assert_str_neq(a, b);
	}
}

Test(uuid, only_version_4_of_its_variant_is_one)
{
	char out[UUID_TEXT + 1];

	cr_assert(uuid_parse(STR("919108F7-52D1-4320-9BAC-F847DB4148A8"), out));
	cr_assert_str_eq(out, "919108f7-52d1-4320-9bac-f847db4148a8");
	cr_assert_not(uuid_parse(STR("c232ab00-9414-11ec-b3c8-9f6bdeced846"), out), "version 1");
	cr_assert_not(uuid_parse(STR("919108f7-52d1-4320-cbac-f847db4148a8"), out), "variant 110");
	cr_assert_not(uuid_parse(STR("919108f7-52d1-4320-1bac-f847db4148a8"), out), "variant 0");
	cr_assert_not(uuid_parse(STR("919108f752d143209bacf847db4148a8"), out));
	cr_assert_not(uuid_parse(STR("919108f7-52d1-4320-9bac-f847db4148a"), out));
	cr_assert_not(uuid_parse(STR("919108f7-52d1-4320-9bac_f847db4148a8"), out));
	cr_assert_not(uuid_parse(STR("{19108f7-52d1-4320-9bac-f847db4148a8"), out));
}

Test(scope, words_and_bits)
{
	char text[SCOPE_TEXT_MAX];
	unsigned s;

	cr_assert(scope_parse(STR("audit list"), &s));
	cr_assert_eq(s, (unsigned)(SCOPE_LIST | SCOPE_AUDIT));
	cr_assert_str_eq(scope_print(s, text), "list audit");
	cr_assert(scope_parse(str_z(scope_print(SCOPE_ALL, text)), &s));
	cr_assert_eq(s, (unsigned)SCOPE_ALL);
	cr_assert_not(scope_parse(STR("list  audit"), &s));
	cr_assert_not(scope_parse(STR("list "), &s));
	cr_assert_not(scope_parse(STR(""), &s));
	cr_assert_not(scope_parse(STR("List"), &s));
}

#define RECORD(method, proof, current) \
	STR("{\"id\":\"p\",\"tenant\":\"t\\\"\",\"subscription_id\":" \
	    "\"919108f7-52d1-4320-9bac-f847db4148a8\",\"method\":\"" method \
	    "\",\"proof\":\"" proof \
	    "\",\"scope\":\"list\",\"state\":\"active\",\"current\":\"" current "\"}")
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(client, records_are_written_as_they_are_read)
{
	struct client a, b;
	struct buf text;

	buf_init(&text, 4096);
	cr_assert(client_read(RECORD("oauth", "secret", "$argon2id$x"), &a));
	a.previous_until = 7;
	cr_assert(client_write(&a, &text));
	cr_assert(client_read(buf_str(&text), &b));
	cr_assert_str_eq(b.tenant, "t\"");
	cr_assert_eq(b.previous_until, 7);
	cr_assert_not(b.revoked);
	cr_assert_neq(a.mark, b.mark, "another text is another record");
	buf_fini(&text);
}

Test(client, a_proof_belongs_to_its_method)
{
	struct client r;

	cr_assert(client_read(RECORD("mtls", "certificate", FINGERPRINT), &r));
	cr_assert(client_read(RECORD("oauth", "certificate", FINGERPRINT), &r));
	cr_assert_not(client_read(RECORD("basic", "certificate", FINGERPRINT), &r));
	cr_assert_not(client_read(RECORD("mtls", "secret", "$argon2id$x"), &r));
	cr_assert_not(client_read(RECORD("mtls", "certificate", "abc"), &r));
	cr_assert_not(client_read(RECORD("basic", "secret", ""), &r));
	cr_assert_not(client_read(STR("{}"), &r));
	cr_assert_not(client_read(STR_NONE, &r));
}

Test(client, a_record_that_shows_nothing_of_its_secret)
{
	struct client r;
	struct buf text;

	buf_init(&text, 4096);
	cr_assert(client_read(RECORD("basic", "secret", "$argon2id$x"), &r));
	cr_assert(client_show(&r, 0, &text));
	cr_assert_null(memmem(buf_str(&text).p, buf_len(&text), "argon2id", 8));
	buf_fini(&text);
}
