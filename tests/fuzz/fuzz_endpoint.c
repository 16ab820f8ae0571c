/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_endpoint - URLs of push services, and `data` of pushers for them (an input that begins with
 * a brace).
 *
 * libcurl, which connects in the end, takes what we accept and finds the same host in it.  What is
 * kept of a pusher is JSON, and passes again unchanged.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>

#include "jansson_view.h"
#include "lib/matrix/canonical.h"
#include "lib/net/address.h"
#include "pushgw/providers/endpoint.h"
#include "pushgw/providers/provider.h"

#define KEPT_MAX 8192
/* RFC 8291, appendix A */
#define P256DH \
	"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define ENDPOINT "https://push.example/1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

/* --- URLs --- */

static bool
is_same_host(const char *ours, const char *theirs)
{
	struct address a, b;

	if (address_parse(str_z(ours), 0, &a))
		return address_parse(str_z(theirs), 0, &b) && address_eq(&a, &b);
	return str_eq_ci(str_z(ours), str_z(theirs));
}

static void
check_url(struct str text)
{
	struct endpoint e;
	CURLU *u;
	char *url, *host = NULL, *user = NULL;

	if (!endpoint_read(&e, text))
		return;
	u = curl_url();
	url = strndup(text.p, text.n);
	check(curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK);
	check(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK);
	check(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
	check(is_same_host(e.host, host));
	check(str_has_prefix(str_z(e.origin), STR("https://")));
	curl_free(host);
	curl_url_cleanup(u);
	free(url);
}

/* --- pushers --- */

static void
check_pusher(const struct provider_type *type, struct str pushkey, struct str data)
{
	struct app_conf app = { 0 };
	struct device d = { .pushkey = pushkey, .data = data };
	struct buf once, twice;

	buf_init(&once, KEPT_MAX);
	buf_init(&twice, KEPT_MAX);
	if (type->admit(&app, &d, &once) == ADMIT_OK && buf_len(&once) > 0) {
		check(jansson_view(buf_str(&once)) == JANSSON_ACCEPTS);
		d.data = buf_str(&once);
		check(type->admit(&app, &d, &twice) == ADMIT_OK);
		check(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size), canonical;
	struct arena a;

	if (size == 0 || data[0] != '{') {
		check_url(in);
		return 0;
	}
	arena_init(&a, 1 << 22);
	if (canonical_form(&a, in, &canonical) == OK && json_type(canonical) == JSON_OBJECT) {
		check_pusher(&provider_webpush, STR(P256DH), canonical);
		check_pusher(&provider_unifiedpush, STR(ENDPOINT), canonical);
	}
	arena_fini(&a);
	return 0;
}
