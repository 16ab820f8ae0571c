/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pushgw/providers/endpoint.h"

static const struct {
	const char *url, *host, *origin;
} good[] = {
	{ "https://push.example/a/b?c=d&e=%20", "push.example", "https://push.example" },
	{ "HTTPS://Push.Example", "push.example", "https://push.example" },
	{ "https://push.example:443/", "push.example", "https://push.example" },
	{ "https://push.example:8443?x", "push.example", "https://push.example:8443" },
	{ "https://192.0.2.1/", "192.0.2.1", "https://192.0.2.1" },
	{ "https://[2001:DB8::1]:444/", "2001:db8::1", "https://[2001:db8::1]:444" },
	{ "https://[2001:db8::1]", "2001:db8::1", "https://[2001:db8::1]" },
	{ "https://a-b.xn--c/@x", "a-b.xn--c", "https://a-b.xn--c" },
};

Test(push_endpoint, has_host_and_origin)
{
	struct endpoint e;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_assert(endpoint_read(&e, str_z(good[i].url)), "%s", good[i].url);
		cr_assert_str_eq(e.host, good[i].host);
		cr_assert_str_eq(e.origin, good[i].origin);
	}
}

static const char *const bad[] = { "", "https://", "https:///", "https:push.example",
	"//push.example/", "http://push.example/", "ftp://push.example/", "https://u@push.example/",
	"https://u:p@push.example/", "https://:@push.example/", "https://push.example:/",
	"https://push.example:0/", "https://push.example:65536/", "https://push.example:x/",
	"https://push.example:1:2/", "https://push.example\\@other/", "https://push.example/\\",
	"https://push.example/ x", " https://push.example/", "https://push.example/\n",
	"https://push.example/#f", "https://push.example/\"", "https://push.example/{}",
	"https://t\xc3\xa4st/", "https://push.example/\xc3\xa4", "https://a%2eb/", "https://a_b/",
	"https://0x7f.1/", "https://2130706433/", "https://127.1/", "https://a.0x7f/",
	"https://.a/", "https://a./", "https://a..b/", "https://[::1/", "https://::1/",
	"https://[a]/", "https://[::1]x/", "https://x[::1]/", "https://[fe80::1%25eth0]/",
	"https://]/", "https://a,b/" };

Test(push_endpoint, takes_no_other_urls)
{
	char url[ENDPOINT_MAX + 2];
	struct endpoint e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert(!endpoint_read(&e, str_z(bad[i])), "%s", bad[i]);
	memset(url, 'a', sizeof(url));
	memcpy(url, "https://a/", 10);
	cr_assert(endpoint_read(&e, str_of(url, ENDPOINT_MAX)));
	cr_assert(!endpoint_read(&e, str_of(url, ENDPOINT_MAX + 1)));
	url[9] = 'a'; /* a host that is too long */
	cr_assert(!endpoint_read(&e, str_of(url, 8 + ENDPOINT_HOST_MAX + 1)));
	cr_assert(endpoint_read(&e, str_of(url, 8 + ENDPOINT_HOST_MAX)));
}

Test(push_endpoint, is_compared_with_globs_of_hosts)
{
	char first[] = "fcm.googleapis.com", second[] = "*.push.example", third[] = "2001:db8::?";
	char *v[] = { first, second, third };
	const struct conf_list none = { NULL, 0 }, some = { v, 3 };
	struct endpoint e;

	cr_assert(endpoint_read(&e, STR("https://FCM.googleapis.com:8443/x")));
	cr_assert(endpoint_allowed(&e, &some));
	cr_assert(endpoint_read(&e, STR("https://a.push.example/")));
	cr_assert(endpoint_allowed(&e, &some));
	cr_assert(endpoint_read(&e, STR("https://[2001:db8::1]/")));
	cr_assert(endpoint_allowed(&e, &some));
	cr_assert(endpoint_read(&e, STR("https://push.example/fcm.googleapis.com")));
	cr_assert(!endpoint_allowed(&e, &some));
	cr_assert(endpoint_read(&e, STR("https://fcm.googleapis.com.evil/?a.push.example")));
	cr_assert(!endpoint_allowed(&e, &some));
	cr_assert(endpoint_allowed(&e, &none));
}
