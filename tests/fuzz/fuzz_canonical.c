/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_canonical - canonical JSON against itself and against jansson.
 *
 * What is accepted canonicalises to itself, without memory, and is no longer than what it was.
 * jansson accepts what we accept and finds the same value, unless a number is beyond its types or a
 * name has a NUL.  We accept what it accepts, unless it is nested more deeply than we allow or has
 * a NUL outside of strings, which jansson overlooks behind numbers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jansson_view.h"
#include "lib/matrix/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

/* Walks the whole text with the accessors. */
static void
walk(struct arena *a, struct str v)
{
	struct json_iter it;
	struct str key, value;
	bool object = json_type(v) == JSON_OBJECT;

	json_begin(&it, v);
	while (json_next(&it, &key, &value)) {
		check(value.p >= v.p && value.p + value.n <= v.p + v.n && value.n > 0);
		if (object) {
			struct str name = json_text(a, key);

			check(name.p != NULL && json_is(key, name));
			check(json_get(v, name).p == value.p);
		}
		walk(a, value);
	}
}

/* `out` is what we made of `in`. */
static void
check_accepted(struct str in, struct str out)
{
	enum jansson_view view = jansson_view(in);

	check(view == JANSSON_CANNOT || (view == JANSSON_ACCEPTS && jansson_same(in, out)));
}

static void
check_refused(struct str in, enum err err)
{
	if (err != ERR_JSON_DEPTH && str_chr(in, '\0') == NULL)
		check(jansson_view(in) != JANSSON_ACCEPTS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size), out, again;
	struct arena a, none;
	enum err err;

	arena_init(&a, 1 << 24);
	arena_init(&none, 0);
	err = canonical_form(&a, in, &out);
	if (err == OK) {
		check(out.n <= in.n);
		check(canonical_form(&none, out, &again) == OK && again.p == out.p &&
		      again.n == out.n);
		walk(&a, out);
		check_accepted(in, out);
	} else {
		check_refused(in, err);
	}
	arena_fini(&none);
	arena_fini(&a);
	return 0;
}
