/* SPDX-License-Identifier: Apache-2.0 */
#include "jansson_view.h"

#include <jansson.h>

static json_t *
load(struct str text, json_error_t *error)
{
	return json_loadb(
	    text.p, text.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
}

enum jansson_view
jansson_view(struct str text)
{
	json_error_t error;
	json_t *v = load(text, &error);

	if (v != NULL) {
		json_decref(v);
		return JANSSON_ACCEPTS;
	}
	switch (json_error_code(&error)) {
	case json_error_numeric_overflow:
	case json_error_null_byte_in_key:
		return JANSSON_CANNOT;
	default:
		return JANSSON_REFUSES;
	}
}

bool
jansson_same(struct str a, struct str b)
{
	json_error_t error;
	json_t *x = load(a, &error), *y = load(b, &error);
	bool same = x != NULL && y != NULL && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return same;
}
