/* SPDX-License-Identifier: Apache-2.0 */
/* Which service's homeserver speaks: ML-123615-3, FD-5.2.1.2-4. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "proxy/outbound/credential.h"

#define SECRET "secret:of:a"

static struct arena arena;
static struct service_conf services[2];
static struct proxy_conf conf;
static unsigned char digest[32];
static struct strmap_entry entry;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
	conf = (struct proxy_conf){ .services = services, .n_services = 2 };
	/* as the configuration does it: the second service has this secret */
	crypto_generichash(digest, sizeof(digest), (const unsigned char *)SECRET, strlen(SECRET), conf.secret_key,
	    sizeof(conf.secret_key));
	entry = (struct strmap_entry){ str_of((const char *)digest, sizeof(digest)), 1 };
	conf.by_secret = strmap_of(&entry, 1);
}

static void
teardown(void)
{
	arena_fini(&arena);
}

TestSuite(credential, .init = setup, .fini = teardown);

static const struct service_conf *
show(const char *fields)
{
	static const struct h1_limits limits = { 16384, 4096, 50, .proxy = true };
	static char head[16384];
	struct h1_head req;
	int n = snprintf(head, sizeof(head), "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n%s\r\n", fields);

	cr_assert_eq(h1_parse_request(&arena, arena_dup(&arena, str_of(head, (size_t)n)), &limits, &req), OK, "%s", fields);
	return credential_service(&arena, &conf, &req);
}

static const char *
basic(const char *text)
{
	static char field[12000];
	char coded[11000];

	sodium_bin2base64(coded, sizeof(coded), (const unsigned char *)text, strlen(text), sodium_base64_VARIANT_ORIGINAL);
	snprintf(field, sizeof(field), "Proxy-Authorization: Basic %s\r\n", coded);
	return field;
}

Test(credential, is_a_bearer_token)
{
	cr_assert_eq(show("Proxy-Authorization: Bearer " SECRET "\r\n"), &services[1]);
	cr_assert_eq(show("Proxy-Authorization: bEARER   " SECRET "\r\n"), &services[1]);
}

/* A password may hold colons (RFC 7617 2). */
Test(credential, is_a_basic_password_of_any_user)
{
	cr_assert_eq(show(basic("homeserver:" SECRET)), &services[1]);
	cr_assert_eq(show(basic(":" SECRET)), &services[1]);
}

Test(credential, is_nobodys_otherwise)
{
	static const char *const fields[] = {
		"", "Authorization: Bearer " SECRET "\r\n", "Proxy-Authorization: Bearer " SECRET "x\r\n",
		"Proxy-Authorization: Bearer secret:of\r\n", "Proxy-Authorization: Bearer\r\n",
		"Proxy-Authorization: Bearer \r\n", "Proxy-Authorization: " SECRET "\r\n",
		"Proxy-Authorization: Bearer\t" SECRET "\r\n", "Proxy-Authorization: Basic " SECRET "\r\n",
		"Proxy-Authorization: Basic\r\n", "Proxy-Authorization: Basic !\r\n", "Proxy-Authorization: Digest " SECRET "\r\n",
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		cr_assert_null(show(fields[i]), "%s", fields[i]);
	cr_assert_null(show(basic(SECRET)), "the first part is the user");
	cr_assert_null(show(basic("user:")));
	cr_assert_null(show(basic(SECRET ":x")));
}

/* Two readers could go by different ones. */
Test(credential, is_shown_once)
{
	cr_assert_null(show("Proxy-Authorization: Bearer " SECRET "\r\nProxy-Authorization: Bearer " SECRET "\r\n"));
}

Test(credential, of_any_length_is_only_wrong)
{
	char text[8001];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_null(show(basic(text)));
}
