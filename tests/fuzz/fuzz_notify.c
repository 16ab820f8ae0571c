/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_notify - bodies of POST /_matrix/push/v1/notify, and what of their default_payload leaves.
 *
 * jansson finds the same in what we accept, and nothing wrong with it that we refuse for its shape
 * (unless a number is beyond its types, a name has a NUL, or it is overlooked behind a number).
 * What passes the filter of payloads is JSON, bounded, and passes it again unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jansson_view.h"
#include "notify_view.h"
#include "pushgw/providers/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct notify_conf limits = {
	.devices_max = 8,
	.data_max = 512,
	.ciphertext_max = 300,
};

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_payload(struct str data, enum payload_form form)
{
	static char text[4][24] = { "aps.alert.loc-key", "aps.mutable-content", "a", "a.b.c" };
	char *paths[4] = { text[0], text[1], text[2], text[3] };
	const struct conf_list list = { paths, 4 };
	struct buf once, twice;

	buf_init(&once, PAYLOAD_KEPT_MAX + 32);
	buf_init(&twice, PAYLOAD_KEPT_MAX + 32);
	check(buf_put(&once, STR("{\"default_payload\":")));
	if (payload_filter(data, &list, form, &once) == ADMIT_OK &&
	    str_chr(buf_str(&once), '}') != NULL) {
		check(buf_put(&once, STR("}")));
		check(jansson_view(buf_str(&once)) != JANSSON_REFUSES);
		check(buf_put(&twice, STR("{\"default_payload\":")));
		check(payload_filter(buf_str(&once), &list, form, &twice) == ADMIT_OK);
		check(buf_put(&twice, STR("}")));
		check(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
}

static void
check_accepted(struct str body, const struct notification *n)
{
	enum jansson_view view = jansson_view(body);

	check(n->n_devices <= limits.devices_max && n->ciphertext.n <= limits.ciphertext_max);
	check(view != JANSSON_REFUSES);
	check(view == JANSSON_CANNOT || notify_view_same(body, n));
	for (size_t i = 0; i < n->n_devices; i++) {
		check(n->devices[i].data.n <= limits.data_max);
		check_payload(n->devices[i].data, PAYLOAD_NESTED);
		check_payload(n->devices[i].data, PAYLOAD_STRINGS);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = str_of((const char *)data, size);
	struct notification n;
	struct arena a;
	enum err err;

	arena_init(&a, 1 << 24);
	err = notification_read(&a, &limits, body, &n);
	check(err != ERR_MEMORY);
	if (err == OK)
		check_accepted(body, &n);
	else if (err != ERR_JSON_DEPTH && str_chr(body, '\0') == NULL)
		check(!notify_view_good(body, &limits));
	arena_fini(&a);
	return 0;
}
