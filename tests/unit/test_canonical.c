/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON (Matrix specification, Appendices; RFC 8259; FD-5.2.1.2-10). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/matrix/canonical.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum err
form(struct str in, char *text, size_t room, bool *same)
{
	struct arena a;
	struct str out = STR_NONE, again = STR_NONE;
	enum err err;

	arena_init(&a, 1 << 24);
	err = canonical_form(&a, in, &out);
	if (err == OK) {
		*same = out.p == in.p && out.n == in.n;
		cr_assert_lt(out.n, room);
		memcpy(text, out.p, out.n);
		text[out.n] = '\0';
		cr_assert_eq(canonical_form(&a, out, &again), OK);
		cr_assert(again.p == out.p && again.n == out.n, "not stable: %s", text);
	}
	arena_fini(&a);
	return err;
}

static void
becomes(struct str in, struct str want)
{
	char text[4096];
	bool same = false;
	enum err err = form(in, text, sizeof(text), &same);

	cr_assert_eq(err, OK, "%s: %s", in.p, err_name(err));
	cr_assert(str_eq(str_z(text), want), "%s became %s", in.p, text);
	cr_assert_eq(same, str_eq(in, want), "%s was %scopied", in.p, same ? "not " : "");
}

#define BECOMES(in, want) becomes(STR(in), STR(want))
#define STAYS(in) becomes(STR(in), STR(in))

static enum err
error_of(struct str in)
{
	char text[4096];
	bool same;

	return form(in, text, sizeof(text), &same);
}

Test(canonical, follows_the_examples_of_the_specification)
{
	STAYS("{}");
	BECOMES("{\"one\": 1, \"two\": \"Two\"}", "{\"one\":1,\"two\":\"Two\"}");
	BECOMES("{\"b\":\"2\",\"a\":\"1\"}", "{\"a\":\"1\",\"b\":\"2\"}");
	BECOMES("{\"auth\":{\"success\":true,\"mxid\":\"@john.doe:example.com\",\"profile\":"
		"{\"display_name\":\"John Doe\",\"three_pids\":[{\"medium\":\"email\","
		"\"address\":\"john.doe@example.org\"},{\"medium\":\"msisdn\",\"address\":"
		"\"123456789\"}]}}}",
	    "{\"auth\":{\"mxid\":\"@john.doe:example.com\",\"profile\":{\"display_name\":"
	    "\"John Doe\",\"three_pids\":[{\"address\":\"john.doe@example.org\",\"medium\":"
	    "\"email\"},{\"address\":\"123456789\",\"medium\":\"msisdn\"}]},\"success\":true}}");
	STAYS("{\"a\":\"日本語\"}");
	BECOMES("{\"本\":2,\"日\":1}", "{\"日\":1,\"本\":2}");
	BECOMES("{\"a\":\"\\u65E5\"}", "{\"a\":\"日\"}");
	STAYS("{\"a\":null}");
	BECOMES("[\"\\u0008\\u0009\\u000A\\u000B\\u000C\\u000D\\u000E\\u001F\"]",
	    "[\"\\b\\t\\n\\u000b\\f\\r\\u000e\\u001f\"]");
	BECOMES("[\"\\u0061\\u005C\\u0042\\u0022\\/\"]", "[\"a\\\\B\\\"/\"]");
	BECOMES("[\"\\uD842\\uDC20\"]", "[\"\xf0\xa0\xa0\xa0\"]");
	STAYS("\"text\\u0003\\r\\n\"");
}

Test(canonical, keeps_the_text_of_numbers_but_not_minus_zero)
{
	BECOMES("{\"a\":-0,\"b\":1e10}", "{\"a\":0,\"b\":1e10}");
	BECOMES("-0", "0");
	BECOMES("[-0,-0 ,-0]", "[0,0,0]");
	STAYS("-0.0");
	STAYS("-0e1");
	STAYS("[1E+2,1.50,123456789012345678901234567890,-1]");
}

Test(canonical, sorts_by_unescaped_bytes)
{
	BECOMES("{\"\\uFFFF\":1,\"\\uD800\\uDC00\":2,\"a\":3,\"A\":4,\"\":5,\"aa\":6}",
	    "{\"\":5,\"A\":4,\"a\":3,\"aa\":6,\"\xef\xbf\xbf\":1,\"\xf0\x90\x80\x80\":2}");
	STAYS("{\"\xef\xbf\xbf\":1,\"\xf0\x90\x80\x80\":2}");
	BECOMES("{\"\xf0\x90\x80\x80\":2,\"\xef\xbf\xbf\":1}",
	    "{\"\xef\xbf\xbf\":1,\"\xf0\x90\x80\x80\":2}");
	/* U+000A sorts before A although a backslash would sort behind it. */
	STAYS("{\"\\n\":1,\"A\":2,\"\\\\\":3,\"a\":4}");
	BECOMES("{\"A\":2,\"\\n\":1}", "{\"\\n\":1,\"A\":2}");
	/* A quote (0x22) sorts before # (0x23), although its escape would not. */
	STAYS("{\"\\\"\":1,\"#\":2}");
	BECOMES("{\"#\":2,\"\\\"\":1}", "{\"\\\"\":1,\"#\":2}");
	BECOMES("{\"ab\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"ab\":1}");
	BECOMES("{\"b\":1,\"\\u0061\":2}", "{\"a\":2,\"b\":1}");
}

Test(canonical, sorts_objects_within_objects_and_arrays)
{
	BECOMES("{\"c\":{\"z\":[{\"y\":1,\"x\":2},3],\"a\":{}},\"b\":[[],[{\"q\":1,\"p\":{\"n\":0,"
		"\"m\":0}}]],\"a\":1}",
	    "{\"a\":1,\"b\":[[],[{\"p\":{\"m\":0,\"n\":0},\"q\":1}]],\"c\":{\"a\":{},\"z\":[{\"x\":"
	    "2,\"y\":1},3]}}");
	BECOMES(" [ { } , [ ] , { \"a\" : [ 1 , 2 ] } , \"b\" , true , false , null , -1 ] ",
	    "[{},[],{\"a\":[1,2]},\"b\",true,false,null,-1]");
	BECOMES("{\"a\":{\"c\":1,\"b\":2},\"d\":{\"f\":1,\"e\":2}}",
	    "{\"a\":{\"b\":2,\"c\":1},\"d\":{\"e\":2,\"f\":1}}");
}

Test(canonical, rewrites_blanks_escapes_and_minus_zero_only_where_they_are)
{
	BECOMES("\t\"a\\\\\\/ b\"\r\n", "\"a\\\\/ b\"");
	BECOMES("\"\\u0022\"", "\"\\\"\"");
	BECOMES("\"\\u000B\"", "\"\\u000b\"");
	BECOMES("\"\\u007f\\u2028\"", "\"\x7f\xe2\x80\xa8\"");
	BECOMES("\"\\u00fc\\u00DF\"", "\"üß\"");
	BECOMES("\"\\u0000\"  ", "\"\\u0000\"");
	STAYS("\"\\u0000\\u001f\x7f/ü\"");
	STAYS("{\"a\":\" : , { [ \"}");
	BECOMES("{\"a\" :\"\\\": {\"}", "{\"a\":\"\\\": {\"}");
}

Test(canonical, accepts_scalars_at_the_top)
{
	STAYS("1");
	STAYS("true");
	STAYS("false");
	STAYS("null");
	STAYS("\"\"");
	STAYS("[]");
	BECOMES(" 1 ", "1");
}

static const struct str not_json[] = {
	STR(""),
	STR(" "),
	STR("\n"),
	STR("{"),
	STR("["),
	STR("}"),
	STR("]"),
	STR("\""),
	STR("\"a"),
	STR("\"\\"),
	STR("\"\\\""),
	STR(","),
	STR(":"),
	STR("{]"),
	STR("[}"),
	STR("{}}"),
	STR("[]]"),
	STR("{} {}"),
	STR("1 2"),
	STR("1,"),
	STR("{}x"),
	STR("{}\0"),
	STR("\0"),
	STR("[1,]"),
	STR("[,1]"),
	STR("[,]"),
	STR("[1,,2]"),
	STR("[1 2]"),
	STR("[1:2]"),
	STR("[\"a\":1]"),
	STR("{,}"),
	STR("{\"a\"}"),
	STR("{\"a\":}"),
	STR("{\"a\":1,}"),
	STR("{\"a\":1,,\"b\":2}"),
	STR("{\"a\" 1}"),
	STR("{\"a\"::1}"),
	STR("{a:1}"),
	STR("{'a':1}"),
	STR("{1:1}"),
	STR("{null:1}"),
	STR("{\"a\":1 \"b\":2}"),
	STR("{\"a\":1]"),
	STR("[1}"),
	STR("{\"a\",1}"),
	STR("{\"a\":1"),
	STR("{\"a\":"),
	STR("{\"a\""),
	STR("{\"a"),
	STR("[1"),
	STR("[1,"),
	STR("[[]"),
	STR("{[]:1}"),
	STR("{{}:1}"),
	STR("[\"a\"b]"),
	STR("[\"a\" \"b\"]"),
	/* literals */
	STR("tru"),
	STR("True"),
	STR("TRUE"),
	STR("truee"),
	STR("nul"),
	STR("nullnull"),
	STR("fals"),
	STR("NaN"),
	STR("nan"),
	STR("-NaN"),
	STR("Infinity"),
	STR("-Infinity"),
	STR("inf"),
	STR("undefined"),
	STR("[NaN]"),
	STR("[Infinity]"),
	STR("[-Infinity]"),
	/* numbers */
	STR("01"),
	STR("00"),
	STR("-01"),
	STR("-"),
	STR("--1"),
	STR("+1"),
	STR("1."),
	STR(".1"),
	STR("-.1"),
	STR("1.e1"),
	STR("1e"),
	STR("1e+"),
	STR("1E-"),
	STR("1e1.5"),
	STR("0x1"),
	STR("1_000"),
	STR("0e"),
	STR("1.2.3"),
	STR("1a"),
	STR("- 1"),
	STR("1 .2"),
	STR("[-]"),
	STR("[01]"),
	STR("１"),
	STR("1f"),
	STR("0b1"),
	STR("1ee1"),
	/* strings */
	STR("'a'"),
	STR("\"\n\""),
	STR("\"\t\""),
	STR("\"\0\""),
	STR("\"\x1f\""),
	STR("\"\\a\""),
	STR("\"\\x41\""),
	STR("\"\\0\""),
	STR("\"\\'\""),
	STR("\"\\U0041\""),
	STR("\"\\ \""),
	STR("\"\\u\""),
	STR("\"\\u12\""),
	STR("\"\\u123\""),
	STR("\"\\u12g4\""),
	STR("\"\\u 123\""),
	STR("\"\\u+123\""),
	STR("\"\\u004"),
	STR("\"\\\x80\""),
	STR("\"\\\xc3\xbc\""),
	/* white space and comments */
	STR("\xc2\xa0{}"),
	STR("\x0b{}"),
	STR("\x0c{}"),
	STR("[1\xe2\x80\xa8]"),
	STR("\xef\xbb\xbf{}"),
	STR("/**/{}"),
	STR("{}//"),
	STR("#\n{}"),
	STR("{\"a\":1/**/}"),
	STR("[\x00]"),
	/* UTF-16 */
	STR("\xff\xfe{\0}\0"),
	STR("\0{\0}"),
};

Test(canonical, refuses_what_is_not_json)
{
	for (size_t i = 0; i < COUNT(not_json); i++)
		cr_assert_eq(error_of(not_json[i]), ERR_JSON_SYNTAX, "#%zu: %.*s: %s", i,
		    (int)not_json[i].n, not_json[i].p, err_name(error_of(not_json[i])));
}

Test(canonical, accepts_unusual_but_valid_json)
{
	static const struct str good[] = {
		STR("0"),
		STR("-1"),
		STR("0.0"),
		STR("1e1"),
		STR("1E1"),
		STR("1e+1"),
		STR("1e-1"),
		STR("0e0"),
		STR("0E+0"),
		STR("1.5e999"),
		STR("-123.456e-78"),
		STR("1e400"),
		STR("0.00000000000000000001"),
		STR("100000000000000000000000"),
		STR("[[[[]]]]"),
		STR("[{},{}]"),
		STR("{\"\":0}"),
		STR("{\"\":{\"\":{\"\":0}}}"),
		STR("\"\x7f\""),
		STR("\"\xc2\x80\""),
		STR("\"\xdf\xbf\""),
		STR("\"\xe0\xa0\x80\""),
		STR("\"\xed\x9f\xbf\""),
		STR("\"\xee\x80\x80\""),
		STR("\"\xef\xbf\xbe\""),
		STR("\"\xef\xbf\xbf\""),
		STR("\"\xf0\x90\x80\x80\""),
		STR("\"\xf4\x8f\xbf\xbf\""),
		STR("\"\xef\xbb\xbf\""),
		STR("\"\xe2\x80\xa8\xe2\x80\xa9\""),
		STR("\" \""),
		STR("\"//\""),
		STR("\"/*x*/\""),
		STR("[\"\\\\n\"]"),
		STR("{\"\\\\\":1}"),
		STR("[true,false,null]"),
		STR("\"\\u0001\""),
		STR("[\"asdf\",[1]]"),
		STR("{\"a\":[],\"b\":{}}"),
		STR("\"\\\"\\\\\\b\\f\\n\\r\\t\""),
		STR("[1,[2,[3]]]"),
		STR("{\"a\":{\"a\":{\"a\":1}}}"),
	};

	for (size_t i = 0; i < COUNT(good); i++)
		becomes(good[i], good[i]);
}

Test(canonical, refuses_malformed_utf8)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x41",
		"\xc2\xc2",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xe2\x28\xa1",
		"\xe2\x82\x28",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xed\xa0\x80\xed\xb0\x80",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf0\x90",
		"\xf0\x28\x8c\xbc",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xe4",
		"abcdefgh\xff",
		"abcdefg\x80hijklmnop",
	};
	char text[64];

	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "\"%s\"", bad[i]);
		cr_assert_eq(error_of(str_z(text)), ERR_JSON_SYNTAX, "value #%zu", i);
		snprintf(text, sizeof(text), "{\"%s\":1}", bad[i]);
		cr_assert_eq(error_of(str_z(text)), ERR_JSON_SYNTAX, "name #%zu", i);
		snprintf(text, sizeof(text), "\"%s", bad[i]);
		cr_assert_eq(error_of(str_z(text)), ERR_JSON_SYNTAX, "cut #%zu", i);
	}
}

Test(canonical, refuses_lone_surrogates)
{
	static const char *const bad[] = {
		"\"\\ud800\"",
		"\"\\uDC00\"",
		"\"\\ud800\\ud800\"",
		"\"\\ud800x\"",
		"\"\\ud800\\n\"",
		"\"\\udc00\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\ud800\\u\"",
		"\"\\ud800\\udc0\"",
		"\"\\ud800\\",
		"{\"\\udfff\":1}",
		"\"\\uD83D\\uDE0\"",
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_assert_eq(error_of(str_z(bad[i])), ERR_JSON_SYNTAX, "%s", bad[i]);
	BECOMES("\"\\ud83d\\ude00\"", "\"😀\"");
	BECOMES("\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
}

Test(canonical, refuses_repeated_member_names)
{
	static const char *const bad[] = {
		"{\"a\":1,\"a\":1}",
		"{\"a\":1,\"b\":2,\"a\":3}",
		"{\"b\":1,\"a\":2,\"b\":3}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"\\u0061\":1,\"b\":3,\"a\":2}",
		"{\"\":1,\"\":2}",
		"{\"\\n\":1,\"\\u000a\":2}",
		"{\"\\/\":1,\"/\":2}",
		"{\"\\u65e5\":1,\"日\":2}",
		"{\"😀\":1,\"x\":0,\"\\ud83d\\ude00\":2}",
		"[{\"x\":{\"a\":1,\"a\":2}}]",
		"{\"z\":{\"b\":1,\"a\":2,\"b\":3},\"y\":1}",
		"{\"a\":{},\"a\":{}}",
		"{\"c\":1,\"b\":{\"q\":1,\"p\":1,\"q\":1}}",
		"{\"\\\"\":1,\"z\":1,\"\\u0022\":2}",
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_assert_eq(error_of(str_z(bad[i])), ERR_JSON_DUPLICATE, "%s", bad[i]);
	STAYS("{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
	STAYS("[{\"a\":1},{\"a\":1}]");
}

static struct str
nested(char *text, size_t depth, const char *open, const char *core, const char *close)
{
	char *p = text;

	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, open);
	p = stpcpy(p, core);
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, close);
	return str_of(text, (size_t)(p - text));
}

Test(canonical, limits_nesting)
{
	static char text[2000000];
	const size_t max = CANONICAL_MAX_DEPTH;

	struct str s = nested(text, max, "[", "", "]");

	becomes(s, s);
	s = nested(text, max, "{\"a\":", "1", "}");
	becomes(s, s);
	cr_assert_eq(error_of(nested(text, max + 1, "[", "", "]")), ERR_JSON_DEPTH);
	cr_assert_eq(error_of(nested(text, max + 1, "{\"a\":", "1", "}")), ERR_JSON_DEPTH);
	cr_assert_eq(error_of(nested(text, 100000, "[", "", "]")), ERR_JSON_DEPTH);
	cr_assert_eq(error_of(nested(text, 100000, "{\"\":[", "", "]}")), ERR_JSON_DEPTH);
	cr_assert_eq(error_of(nested(text, 100000, "[", "", "")), ERR_JSON_DEPTH);
}

Test(canonical, rewrites_the_deepest_nesting_allowed)
{
	static char text[4096], want[4096];

	becomes(nested(text, CANONICAL_MAX_DEPTH, "{ \"b\":1,\"a\":", "-0", "}"),
	    nested(want, CANONICAL_MAX_DEPTH, "{\"a\":", "0", ",\"b\":1}"));
}

Test(canonical, sorts_wide_objects)
{
	static char text[1 << 20], out[1 << 20];
	char *p = text;
	bool same;

	for (unsigned i = 0; i < 30000;
	     i++) /* 7919 is prime to 30000, so every number comes once */
		p += sprintf(
		    p, "%c\"%05u\":{\"b\":%u,\"a\":[]}", i == 0 ? '{' : ',', i * 7919 % 30000, i);
	*p++ = '}';
	cr_assert_eq(form(str_of(text, (size_t)(p - text)), out, sizeof(out), &same), OK);
	cr_assert(str_has_prefix(str_z(out), STR("{\"00000\":{\"a\":[],\"b\":0},\"00001\":")));
	cr_assert(str_has_suffix(str_z(out), STR("}}")));
	cr_assert_eq(strlen(out), (size_t)(p - text));
}

Test(canonical, needs_no_memory_for_canonical_text_and_says_when_it_has_none)
{
	struct arena a;
	struct str out;

	arena_init(&a, 4);
	cr_assert_eq(canonical_form(&a, STR("{\"a\":[1,2,3]}"), &out), OK);
	cr_assert_eq(canonical_form(&a, STR("{\"a\":[1,2, 3]}"), &out), ERR_MEMORY);
	cr_assert_eq(a.used, 0);
	arena_fini(&a);
}
