/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_xmatrix - Authorization values of any kind, and what is assembled from their names.
 *
 * An accepted header, written anew in the plain form, is accepted again with the same content;
 * bytes to sign are canonical JSON.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "lib/matrix/xmatrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static bool
quotable(struct str s) /* needs no backslash */
{
	return str_chr(s, '"') == NULL && str_chr(s, '\\') == NULL && str_chr(s, ',') == NULL;
}

static void
check_plain_form(struct arena *a, const struct xmatrix *x)
{
	char text[2048], sig[128];
	struct xmatrix again;
	int n;

	check(x->key_id.n > strlen("ed25519:") && str_has_prefix(x->key_id, STR("ed25519:")));
	if (!quotable(x->key_id))
		return;
	sodium_bin2base64(
	    sig, sizeof(sig), x->sig, sizeof(x->sig), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	n = snprintf(text, sizeof(text),
	    "X-Matrix origin=\"" STR_FMT "\",key=\"" STR_FMT "\",sig=\"%s\"", STR_ARG(x->origin),
	    STR_ARG(x->key_id), sig);
	if (x->destination.n > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",destination=\"" STR_FMT "\"",
		    STR_ARG(x->destination));
	check((size_t)n < sizeof(text));
	check(xmatrix_parse(a, str_of(text, (size_t)n), &again) == OK);
	check(str_eq(again.origin, x->origin) && str_eq(again.destination, x->destination));
	check(str_eq(again.key_id, x->key_id) && memcmp(again.sig, x->sig, sizeof(x->sig)) == 0);
}

static void
check_names(struct arena *a, struct str s)
{
	char normal[NAME_MAX_LEN + 1], again[NAME_MAX_LEN + 1];
	struct str one = name_normal(s, normal), mxid = mxid_from_uri(a, s), localpart, server;
	struct server_name parts;

	check((one.n > 0) == name_parse(s, &parts));
	check(str_eq(one, name_normal(one, again)));
	if (mxid.n > 0)
		check(mxid_parse(mxid, &localpart, &server) && mxid_same(mxid, mxid));
}

static void
check_signed_bytes(struct arena *a, struct str s)
{
	struct str bytes = xmatrix_signed_bytes(a, STR("PUT"), s, STR("a"), STR("b"), STR("{}")),
		   out;

	check(bytes.n > 0);
	if (!utf8_valid(s))
		return;
	check(canonical_form(a, bytes, &out) == OK && out.p == bytes.p);
	check(json_is(json_get(out, STR("uri")), s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct xmatrix x;
	struct arena a;

	arena_init(&a, 1 << 24);
	if (xmatrix_parse(&a, in, &x) == OK) {
		check(xmatrix_is(in));
		check_plain_form(&a, &x);
	}
	check_names(&a, in);
	check_signed_bytes(&a, in);
	arena_fini(&a);
	return 0;
}
