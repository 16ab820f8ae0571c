/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors of canonical.h. */
#include <criterion/criterion.h>

#include "lib/base/buf.h"
#include "lib/matrix/canonical.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, 1 << 16);
}

static void
tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(json_read, .init = set_up, .fini = tear_down);

Test(json_read, tells_types_apart)
{
	cr_assert_eq(json_type(STR("{}")), JSON_OBJECT);
	cr_assert_eq(json_type(STR("[]")), JSON_ARRAY);
	cr_assert_eq(json_type(STR("\"\"")), JSON_STRING);
	cr_assert_eq(json_type(STR("0")), JSON_NUMBER);
	cr_assert_eq(json_type(STR("-9")), JSON_NUMBER);
	cr_assert_eq(json_type(STR("true")), JSON_TRUE);
	cr_assert_eq(json_type(STR("false")), JSON_FALSE);
	cr_assert_eq(json_type(STR("null")), JSON_NULL);
	cr_assert_eq(json_type(STR_NONE), JSON_NONE);
	cr_assert_eq(json_type(STR("x")), JSON_NONE);
}

Test(json_read, finds_members_by_unescaped_name)
{
	struct str v = STR("{\"\":0,\"\\n\":1,\"a\":{\"b\":[1,{\"c\":2}],\"b2\":\"}\"},\"b\":"
			   "\"x\\\",\\\"y\\\":1\",\"y\":3}");

	cr_assert(str_eq(json_get(v, STR("")), STR("0")));
	cr_assert(str_eq(json_get(v, STR("\n")), STR("1")));
	cr_assert(str_eq(json_get(v, STR("a")), STR("{\"b\":[1,{\"c\":2}],\"b2\":\"}\"}")));
	cr_assert(str_eq(json_get(v, STR("b")), STR("\"x\\\",\\\"y\\\":1\"")));
	cr_assert(str_eq(json_get(v, STR("y")), STR("3")));
	cr_assert(str_eq(json_get(json_get(v, STR("a")), STR("b2")), STR("\"}\"")));
	cr_assert_eq(json_get(v, STR("c")).n, 0);
	cr_assert_eq(json_get(v, STR("\\n")).n, 0);
	cr_assert_eq(json_get(v, STR("yy")).n, 0);
	cr_assert_eq(json_get(STR("{}"), STR("a")).n, 0);
}

Test(json_read, finds_nothing_in_what_is_no_object)
{
	static const struct str values[] = { STR("[\"a\",1]"), STR("\"a\""), STR("1"), STR("null"),
		STR("") };

	for (size_t i = 0; i < COUNT(values); i++)
		cr_assert_eq(json_get(values[i], STR("a")).n, 0);
	cr_assert_eq(json_get(STR_NONE, STR("a")).n, 0);
}

Test(json_read, does_not_mind_blanks)
{
	struct str v = STR("{ \"a\" : [ 1 , 2 ] ,\n\"b\":\ttrue }");
	struct json_iter it;
	struct str value;

	cr_assert(str_eq(json_get(v, STR("b")), STR("true")));
	json_begin(&it, json_get(v, STR("a")));
	cr_assert(json_next(&it, NULL, &value) && str_eq(value, STR("1")));
	cr_assert(json_next(&it, NULL, &value) && str_eq(value, STR("2")));
	cr_assert_not(json_next(&it, NULL, &value));
}

Test(json_read, iterates_arrays_in_order)
{
	static const struct str want[] = { STR("1"), STR("\"]\""), STR("[]"), STR("{\"a\":[]}"),
		STR("null"), STR("-1.5e3") };
	struct json_iter it;
	struct str value;

	json_begin(&it, STR("[1,\"]\",[],{\"a\":[]},null,-1.5e3]"));
	for (size_t i = 0; i < COUNT(want); i++) {
		cr_assert(json_next(&it, NULL, &value));
		cr_assert(str_eq(value, want[i]), "#%zu", i);
	}
	cr_assert_not(json_next(&it, NULL, &value));
	cr_assert_not(json_next(&it, NULL, &value));
}

Test(json_read, iterates_objects_with_names)
{
	struct json_iter it;
	struct str key, value;

	json_begin(&it, STR("{\"a\\\"\":1,\"b\":{\"c\":2}}"));
	cr_assert(json_next(&it, &key, &value));
	cr_assert(json_is(key, STR("a\"")));
	cr_assert(str_eq(value, STR("1")));
	cr_assert(json_next(&it, NULL, &value));
	cr_assert(str_eq(value, STR("{\"c\":2}")));
	cr_assert_not(json_next(&it, &key, &value));
}

Test(json_read, iterates_nothing_in_empty_containers_and_scalars)
{
	static const struct str values[] = { STR("[]"), STR("{}"), STR("[ ]"), STR("1"),
		STR("\"ab\""), STR("null"), STR("") };
	struct json_iter it;
	struct str key, value;

	for (size_t i = 0; i < COUNT(values); i++) {
		json_begin(&it, values[i]);
		cr_assert_not(json_next(&it, &key, &value), "#%zu", i);
	}
}

Test(json_read, gives_text_in_place_unless_it_has_escapes)
{
	struct str v = STR("\"plain ü\""), text = json_text(&arena, v);

	cr_assert_eq(text.p, v.p + 1);
	cr_assert_eq(text.n, v.n - 2);
	cr_assert(
	    str_eq(json_text(&arena, STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\ud83d\\ude00x\"")),
		STR("\"\\/\b\f\n\r\tü😀x")));
	cr_assert(str_eq(json_text(&arena, STR("\"a\\u0000b\"")), STR("a\0b")));
	text = json_text(&arena, STR("\"\""));
	cr_assert(text.p != NULL && text.n == 0);
	cr_assert_null(json_text(&arena, STR("1")).p);
	cr_assert_null(json_text(&arena, STR("\"")).p);
	cr_assert_null(json_text(&arena, STR_NONE).p);
}

Test(json_read, gives_no_text_without_memory)
{
	struct arena small;

	arena_init(&small, 1);
	cr_assert_null(json_text(&small, STR("\"a\\nb\"")).p);
	cr_assert_not_null(json_text(&small, STR("\"anb\"")).p);
	arena_fini(&small);
}

Test(json_read, compares_strings_unescaped)
{
	cr_assert(json_is(STR("\"a\""), STR("a")));
	cr_assert(json_is(STR("\"\\u0061\""), STR("a")));
	cr_assert(json_is(STR("\"\\ud83d\\ude00\""), STR("😀")));
	cr_assert(json_is(STR("\"\""), STR("")));
	cr_assert(json_is(STR("\"a\\\\b\""), STR("a\\b")));
	cr_assert_not(json_is(STR("\"a\\\\b\""), STR("a\\\\b")));
	cr_assert_not(json_is(STR("\"ab\""), STR("a")));
	cr_assert_not(json_is(STR("\"a\""), STR("ab")));
	cr_assert_not(json_is(STR("\"\\u0061b\""), STR("a")));
	cr_assert_not(json_is(STR("\"\\u0061\""), STR("ab")));
	cr_assert_not(json_is(STR("\"\\n\""), STR("\\n")));
	cr_assert_not(json_is(STR("1"), STR("1")));
	cr_assert_not(json_is(STR("\""), STR("")));
	cr_assert_not(json_is(STR_NONE, STR("")));
}

Test(json_read, reads_integers_of_64_bits)
{
	static const struct {
		struct str text;
		int64_t want;
	} good[] = {
		{ STR("0"), 0 },
		{ STR("-0"), 0 },
		{ STR("1"), 1 },
		{ STR("-1"), -1 },
		{ STR("1795388039110"), 1795388039110 },
		{ STR("9223372036854775807"), INT64_MAX },
		{ STR("-9223372036854775808"), INT64_MIN },
	};
	static const struct str bad[] = {
		STR("9223372036854775808"),
		STR("-9223372036854775809"),
		STR("1.0"),
		STR("1e3"),
		STR("\"1\""),
		STR("true"),
		STR(""),
		STR("-"),
		STR("{}"),
		STR("18446744073709551617"),
	};
	int64_t v;

	for (size_t i = 0; i < COUNT(good); i++) {
		cr_assert(json_int(good[i].text, &v), "#%zu", i);
		cr_assert_eq(v, good[i].want, "#%zu", i);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_assert_not(json_int(bad[i], &v), "#%zu", i);
	cr_assert_not(json_int(STR_NONE, &v));
}

Test(json_read, writes_canonical_strings_whole_or_not_at_all)
{
	struct buf b;

	buf_init(&b, 64);
	cr_assert(json_put_string(&b, STR("a\"\\/\n\x01ü\x7f")));
	cr_assert(str_eq(buf_str(&b), STR("\"a\\\"\\\\/\\n\\u0001ü\x7f\"")));
	buf_fini(&b);
	buf_init(&b, 7);
	cr_assert_not(json_put_string(&b, STR("\x01")));
	cr_assert_eq(buf_len(&b), 0);
	cr_assert(json_put_string(&b, STR("abcde")));
	cr_assert(str_eq(buf_str(&b), STR("\"abcde\"")));
	buf_fini(&b);
}

Test(json_read, stays_within_the_slice_on_broken_text)
{
	static const char *const texts[] = { "{\"a", "{\"a\\", "{\"a\"", "{\"a\":", "[[[", "[1,",
		"{\"a\":\"b", "[\"\\u12", "{,", "[}", "[]]", "{]" };
	struct json_iter it;
	struct str key, value;

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str v = arena_dup(&arena, str_z(texts[i]));

		json_begin(&it, v);
		for (int rounds = 0; json_next(&it, &key, &value); rounds++)
			cr_assert_lt(rounds, 10, "%s", texts[i]);
		cr_assert_eq(json_get(v, STR("zz")).n, 0);
	}
}
