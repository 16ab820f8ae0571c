/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: rows, values, and every kind of fault with its place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/conf/load.h"

struct item {
	char *name;
	uint64_t size;
};

struct pair {
	char *key, *value;
};

struct sample {
	bool on;
	uint64_t size, time, count;
	unsigned narrow;
	char *text, *path;
	struct conf_address where;
	int word;
	int flags;
	struct conf_list list, paths;
	struct pair *pairs;
	size_t n_pairs;
	struct item *items;
	size_t n_items;
	uint64_t inner;
};

#define F(m) CONF_FIELD(struct sample, m)
static const struct conf_word words[] = { { "red", 1 }, { "green", 2 }, { NULL, 0 } };
static const struct conf_option pair_rows[] = {
	{ "key", CONF_STRING, CONF_FIELD(struct pair, key), NULL, 1, 9, CONF_RELOAD, "key" },
	{ "value", CONF_STRING, CONF_FIELD(struct pair, value), NULL, 1, 9, CONF_RELOAD, "value" },
	CONF_END,
};
static const struct conf_option item_rows[] = {
	{ "name", CONF_STRING, CONF_FIELD(struct item, name), NULL, 1, 9, CONF_RELOAD,
	    "what it is called" },
	{ "size", CONF_SIZE, CONF_FIELD(struct item, size), "3k", 0, 1 << 20, CONF_RELOAD,
	    "how large" },
	CONF_END,
};
static const struct conf_option inner_rows[] = {
	{ "inner", CONF_COUNT, F(inner), "7", 1, 9, CONF_RESTART, "inner number" },
	CONF_END,
};
static const struct conf_option rows[] = {
	{ "on", CONF_BOOL, F(on), "true", 0, 0, CONF_RELOAD, "switch" },
	{ "size", CONF_SIZE, F(size), "2k", 1024, 1 << 20, CONF_RELOAD, "size" },
	{ "time", CONF_DURATION, F(time), "5s", 10, 86400000, CONF_RELOAD, "time" },
	{ "count", CONF_COUNT, F(count), "3", 0, 10, CONF_RESTART, "count" },
	{ "narrow", CONF_COUNT, F(narrow), "4", 0, 10, CONF_RELOAD, "narrow" },
	{ "text", CONF_STRING, F(text), "", 0, 8, CONF_RELOAD, "text" },
	{ "path", CONF_PATH, F(path), "", 0, 99, CONF_RELOAD, "path" },
	{ "where", CONF_ADDRESS, F(where), "", 0, 0, CONF_RELOAD, "where" },
	{ "word", CONF_ENUM, F(word), "green", 0, 0, CONF_RELOAD, "word", .words = words },
	{ "flags", CONF_FLAGS, F(flags), "red, green", 1, 2, CONF_RELOAD, "flags", .words = words },
	{ "list", CONF_STRINGS, F(list), "x, y", 0, 3, CONF_RELOAD, "list" },
	{ "paths", CONF_PATHS, F(paths), "", 0, 3, CONF_RELOAD, "paths" },
	{ "pairs", CONF_MAP, F(pairs), "", 0, 2, CONF_RELOAD, "pairs", .rows = pair_rows,
	    .item_size = sizeof(struct pair), .count = F(n_pairs) },
	{ "items", CONF_SEQUENCE, F(items), "", 0, 2, CONF_RELOAD, "items", .rows = item_rows,
	    .item_size = sizeof(struct item), .count = F(n_items) },
	{ "part", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "part", .rows = inner_rows },
	CONF_END,
};

static struct arena values;
static struct buf errors;
static struct sample got;
static char shown[65536];

static bool
load_bytes(struct str text)
{
	struct load l;
	bool ok;

	arena_fini(&values);
	buf_fini(&errors);
	arena_init(&values, 1 << 20);
	buf_init(&errors, 1 << 16);
	got = (struct sample){ .on = false };
	load_init(&l, "f.yaml", &values, &errors);
	l.ctx.folder = "/etc/x";
	ok = load_text(&l, text, rows, &got);
	load_fini(&l);
	snprintf(shown, sizeof(shown), STR_FMT, STR_ARG(buf_str(&errors)));
	return ok;
}

static bool
load(const char *text)
{
	return load_bytes(str_z(text));
}

static void
fails(const char *text, const char *expected)
{
	cr_assert_not(load(text), "accepted: %s", text);
	cr_assert_str_eq(shown, expected);
}

static void
finish(void)
{
	arena_fini(&values);
	buf_fini(&errors);
}

TestSuite(conf, .fini = finish);

Test(conf, fills_defaults_through_the_same_parser)
{
	cr_assert(load(""), "%s", shown);
	cr_assert(got.on);
	cr_assert_eq(got.size, 2048);
	cr_assert_eq(got.time, 5000);
	cr_assert_eq(got.count, 3);
	cr_assert_eq(got.narrow, 4);
	cr_assert_null(got.text);
	cr_assert_null(got.path);
	cr_assert_null(got.where.text);
	cr_assert_eq(got.word, 2);
	cr_assert_eq(got.flags, 3);
	cr_assert_eq(got.list.n, 2);
	cr_assert_str_eq(got.list.v[1], "y");
	cr_assert_eq(got.n_items, 0);
	cr_assert_eq(got.inner, 7);
}

Test(conf, fills_every_type)
{
	cr_assert(
	    load("on: false\nsize: 4k\ntime: 2m\ncount: 10\nnarrow: 0\ntext: \"a b\"\npath: p/q\n"
		 "where: \"[::1]:80\"\nword: red\nflags: [green]\nlist: [a, \"b\"]\npaths:\n  - "
		 "/abs\n  - rel\n"
		 "pairs: {k: v}\nitems:\n  - name: one\n  - {name: two, size: 1}\npart:\n  inner: "
		 "9\n"),
	    "%s", shown);
	cr_assert_not(got.on);
	cr_assert_eq(got.size, 4096);
	cr_assert_eq(got.time, 120000);
	cr_assert_eq(got.count, 10);
	cr_assert_eq(got.narrow, 0);
	cr_assert_str_eq(got.text, "a b");
	cr_assert_str_eq(got.path, "/etc/x/p/q");
	cr_assert_str_eq(got.where.host, "::1");
	cr_assert_eq(got.where.port, 80);
	cr_assert_eq(got.word, 1);
	cr_assert_eq(got.flags, 2);
	cr_assert_eq(got.list.n, 2);
	cr_assert_str_eq(got.paths.v[0], "/abs");
	cr_assert_str_eq(got.paths.v[1], "/etc/x/rel");
	cr_assert_str_eq(got.pairs[0].key, "k");
	cr_assert_str_eq(got.pairs[0].value, "v");
	cr_assert_eq(got.n_items, 2);
	cr_assert_eq(got.items[0].size, 3072);
	cr_assert_str_eq(got.items[1].name, "two");
	cr_assert_eq(got.items[1].size, 1);
	cr_assert_eq(got.inner, 9);
}

Test(conf, reads_durations_and_sizes_in_every_unit)
{
	cr_assert(load("time: 10ms\nsize: 1024\n"));
	cr_assert_eq(got.time, 10);
	cr_assert(load("time: 3h\nsize: 1M\n"));
	cr_assert_eq(got.time, 3 * 3600000);
	cr_assert_eq(got.size, 1 << 20);
	cr_assert(load("time: 1d\n"));
	cr_assert_eq(got.time, 86400000);
}

Test(conf, names_the_nearest_key_of_a_typo)
{
	fails("cuont: 3\n", "f.yaml:1:1: unknown key 'cuont'; did you mean 'count'?\n");
	fails("on: true\npart:\n  iner: 3\n",
	    "f.yaml:3:3: unknown key 'iner'; did you mean 'inner'?\n");
	fails("part: {zzzzzzz: 3}\n", "f.yaml:1:8: unknown key 'zzzzzzz'; known here are inner\n");
}

Test(conf, finds_keys_that_appear_twice)
{
	fails("count: 3\non: true\ncount: 4\n",
	    "f.yaml:3:1: key 'count' appears twice; it is already in line 1\n");
	fails(
	    "pairs:\n  a: b\n  a: c\n", "f.yaml:3:3: 'a' appears twice; it is already in line 2\n");
}

Test(conf, finds_values_of_the_wrong_type)
{
	fails("on: yes\n", "f.yaml:1:5: on: 'yes' is not understood; expected true or false\n");
	fails("size: 4x\n", "f.yaml:1:7: size: '4x' is not understood; expected a size such as "
			    "512, 16k, 100M or 2G\n");
	fails("size: -1\n", "f.yaml:1:7: size: '-1' is not understood; expected a size such as "
			    "512, 16k, 100M or 2G\n");
	fails("size: 99999999999999999999G\n",
	    "f.yaml:1:7: size: '99999999999999999999G' is not understood; "
	    "expected a size such as 512, 16k, 100M or 2G\n");
	fails("time: 5\n", "f.yaml:1:7: time: '5' is not understood; expected a duration such as "
			   "500ms, 10s, 5m, 12h or 30d\n");
	fails("count: 1.5\n",
	    "f.yaml:1:8: count: '1.5' is not understood; expected a whole number\n");
	fails(
	    "word: blue\n", "f.yaml:1:7: word: 'blue' is not known; expected one of red, green\n");
	fails("flags: [red, blue]\n",
	    "f.yaml:1:14: flags: 'blue' is not known; expected one of red, green\n");
	fails("where: localhost\n",
	    "f.yaml:1:8: where: 'localhost': the port is missing; expected host:port, "
	    "[ipv6]:port or unix:/path\n");
}

Test(conf, finds_values_of_the_wrong_shape)
{
	fails("count: [1]\n", "f.yaml:1:8: count is a list; expected a whole number\n");
	fails("count: {a: 1}\n", "f.yaml:1:8: count is a map; expected a whole number\n");
	fails("list: a\n", "f.yaml:1:7: list is a single value; expected a list such as [a, b]\n");
	fails("list:\n  - [a]\n",
	    "f.yaml:2:5: an entry of list is not a single value; expected a text\n");
	fails("part: 3\n",
	    "f.yaml:1:7: part is a single value; expected settings indented below it\n");
	fails("items: {a: b}\n",
	    "f.yaml:1:8: items is a map; expected a list of items, each beginning with \"- \"\n");
	fails("items:\n  - 3\n",
	    "f.yaml:2:5: an item of items is not a map; expected \"key: value\" lines\n");
	fails("- a\n", "f.yaml:1:1: the file is not a map; expected \"key: value\" lines\n");
	fails("hello\n", "f.yaml:1:1: the file is not a map; expected \"key: value\" lines\n");
}

Test(conf, finds_settings_without_a_value)
{
	fails("count:\n",
	    "f.yaml:1:7: count has no value; expected a whole number, or remove the line\n");
	fails("text: ~\n", "f.yaml:1:7: text has no value; expected a text, or remove the line\n");
	cr_assert(load("part:\n")); /* all of its settings commented out */
}

Test(conf, finds_values_out_of_range)
{
	fails("size: 1023\n", "f.yaml:1:7: size: out of range; allowed is 1k to 1M\n");
	fails("size: 2M\n", "f.yaml:1:7: size: out of range; allowed is 1k to 1M\n");
	fails("time: 9ms\n", "f.yaml:1:7: time: out of range; allowed is 10ms to 1d\n");
	fails("narrow: 11\n", "f.yaml:1:9: narrow: out of range; allowed is 0 to 10\n");
	fails("text: 123456789\n", "f.yaml:1:7: text: is longer than 8 bytes\n");
	fails("list: [a, b, c, d]\n", "f.yaml:1:7: list has 4 entries; at most 3 allowed\n");
	fails("flags: []\n", "f.yaml:1:8: flags has 0 entries; at least 1 needed\n");
	fails(
	    "pairs: {a: b, c: d, e: f}\n", "f.yaml:1:8: pairs has 3 entries; at most 2 allowed\n");
}

Test(conf, finds_missing_settings)
{
	fails("on: true\nitems:\n  - size: 1k\n",
	    "f.yaml:3:5: 'name' is missing: what it is called\n");
	fails("items:\n  - name: \"\"\n", "f.yaml:2:11: name: is empty; expected a text\n");
}

Test(conf, finds_control_characters_in_texts)
{
	fails("text: \"a\\nb\"\n",
	    "f.yaml:1:7: text: has a control character in it; write it as one line of text\n");
	fails("text: \"a\\0b\"\n", "f.yaml:1:7: a NUL byte in the value; remove it\n");
}

Test(conf, names_tabs_in_the_indentation)
{
	fails("part:\n\tinner: 3\n", "f.yaml:2:1: tab in the indentation; indent with spaces\n");
	fails("part:\n  \tinner: 3\n\ton: true\n",
	    "f.yaml:2:3: tab in the indentation; indent with spaces\n"
	    "f.yaml:3:1: tab in the indentation; indent with spaces\n");
	cr_assert(load("count: 3\t# a tab before a comment\n"), "%s", shown);
}

Test(conf, places_syntax_faults)
{
	fails("a: [1\nb: 2\n",
	    "f.yaml:2:2: YAML syntax: did not find expected ',' or ']' while parsing a flow "
	    "sequence that starts at line 1; look at the indentation, colons and quotes\n");
	cr_assert_not(load("on: \"x\n"));
	cr_assert(strncmp(shown, "f.yaml:2:1: YAML syntax: ", 25) == 0, "%s", shown);
}

Test(conf, refuses_bytes_that_are_not_utf8)
{
	fails("text: \"\xc3\xa4\xff\"\n",
	    "f.yaml:1:9: not UTF-8 text: invalid leading UTF-8 octet; remove that byte\n");
	cr_assert_not(load_bytes(STR("on: true\0\n")));
	cr_assert_not(load_bytes(STR("\xff\xfe"
				     "a\0")));
}

Test(conf, counts_columns_in_characters)
{
	fails("{text: \"\xc3\xa4\xc3\xb6\", on: maybe}\n",
	    "f.yaml:1:18: on: 'maybe' is not understood; expected true or false\n");
}

Test(conf, refuses_anchors_aliases_tags_and_second_documents)
{
	fails("count: &a 3\nnarrow: *a\n",
	    "f.yaml:1:8: anchors (&name) are not used here; write the value\n"
	    "f.yaml:2:9: aliases (*name) are not used here; write the value\n"
	    "f.yaml:2:9: narrow: '' is not understood; expected a whole number\n");
	fails("count: !!int 3\n",
	    "f.yaml:1:8: tags (!type) are not used here; write the value only\n");
	fails("count: 3\n---\ncount: 4\n",
	    "f.yaml:2:1: a second document begins; one file holds one\n");
}

Test(conf, bounds_depth_and_size)
{
	char *large = malloc(TREE_TEXT_MAX + 2);

	fails("list: [[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]\n",
	    "f.yaml:1:22: nested more than 16 deep; no setting is\n");
	cr_assert(large != NULL);
	memset(large, '#', TREE_TEXT_MAX + 1);
	large[TREE_TEXT_MAX + 1] = '\0';
	fails(large, "f.yaml: larger than 1048576 bytes; is it a configuration file?\n");
	large[TREE_TEXT_MAX] = '\0';
	cr_assert(load(large));
	free(large);
}

Test(conf, collects_all_faults_up_to_fifty)
{
	char text[4096] = "";
	size_t lines = 0;

	fails("size: x\ncount: 11\npahts: 1\n",
	    "f.yaml:3:1: unknown key 'pahts'; did you mean 'paths'?\n"
	    "f.yaml:1:7: size: 'x' is not understood; expected a size such as 512, 16k, 100M or "
	    "2G\n"
	    "f.yaml:2:8: count: out of range; allowed is 0 to 10\n");
	for (int i = 0; i < 80; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "unknown_%d: 1\n", i);
	cr_assert_not(load(text));
	for (const char *p = shown; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	cr_assert_eq(lines, 51);
	cr_assert(strstr(shown, "f.yaml: more than 50 faults; the others are not shown\n") != NULL);
}

Test(conf, cuts_and_cleans_values_it_repeats)
{
	fails("word: \"a\\eb\"\n",
	    "f.yaml:1:7: word: 'a?b' is not known; expected one of red, green\n");
	fails("word: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	    "f.yaml:1:7: word: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is not known; "
	    "expected one of red, "
	    "green\n");
}

Test(conf, places_faults_of_later_checks)
{
	static const char text[] = "count: 3\nlist: [a, b]\nitems:\n  - name: x\n";
	struct load l;

	arena_init(&values, 1 << 20);
	buf_init(&errors, 1 << 16);
	got = (struct sample){ .on = false };
	load_init(&l, "f.yaml", &values, &errors);
	cr_assert(load_text(&l, str_z(text), rows, &got));
	cr_assert(load_given(&l, &got.count));
	cr_assert_not(load_given(&l, &got.size));
	load_fault(&l, &got.count, "one");
	load_fault(&l, &got.list.v[1], "two");
	load_fault(&l, &got.items[0].name, "three");
	load_fault(&l, &got.items[0].size, "four");
	load_fault(&l, &shown, "five");
	cr_assert_not(load_ok(&l));
	load_fini(&l);
	snprintf(shown, sizeof(shown), STR_FMT, STR_ARG(buf_str(&errors)));
	cr_assert_str_eq(shown, "f.yaml:1:8: one\nf.yaml:2:11: two\nf.yaml:4:11: "
				"three\nf.yaml:4:5: four\nf.yaml: five\n");
}

Test(conf, says_when_the_file_cannot_be_read)
{
	struct load l;

	arena_init(&values, 1 << 20);
	buf_init(&errors, 1 << 16);
	load_init(&l, "/nonexistent/f.yaml", &values, &errors);
	cr_assert_not(load_file(&l, rows, &got));
	load_fini(&l);
	snprintf(shown, sizeof(shown), STR_FMT, STR_ARG(buf_str(&errors)));
	cr_assert_str_eq(shown, "/nonexistent/f.yaml: cannot be read: No such file or directory\n");
}

Test(conf, names_the_settings_that_differ_by_class)
{
	struct sample a, b;
	struct buf what;

	buf_init(&what, 1024);
	cr_assert(load(""));
	a = b = got;
	cr_assert_not(conf_changed(rows, &a, &b, CONF_RESTART, &what));
	b.size = 4096;
	cr_assert_not(conf_changed(rows, &a, &b, CONF_RESTART, &what));
	b.count = 4;
	b.inner = 1;
	cr_assert(conf_changed(rows, &a, &b, CONF_RESTART, &what));
	cr_assert(str_eq(buf_str(&what), STR("count, inner")));
	buf_fini(&what);
}

Test(conf, prints_values_as_they_can_be_read_again)
{
	struct buf first, second;

	buf_init(&first, 1 << 16);
	buf_init(&second, 1 << 16);
	cr_assert(load("text: \"q\\\"\\\\\"\npairs: {k: v}\nitems:\n  - name: one\nwhere: "
		       "\"127.0.0.1:1\"\ntime: 90s\n"));
	cr_assert(conf_dump_values(rows, &got, &first));
	cr_assert(buf_put(&first, str_of("\0", 1)));
	/* the section's own settings are inside it again */
	cr_assert(load(buf_str(&first).p), "%s in %s", shown, buf_str(&first).p);
	cr_assert(conf_dump_values(rows, &got, &second));
	cr_assert_eq(got.time, 90000);
	cr_assert_str_eq(got.text, "q\"\\");
	cr_assert(str_eq(str_of(buf_str(&first).p, buf_len(&first) - 1), buf_str(&second)));
	buf_fini(&first);
	buf_fini(&second);
}
