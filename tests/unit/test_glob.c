/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lib/base/glob.h"

static const struct {
	const char *pattern, *text;
	bool matches;
} rows[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "a", "", false },
	{ "a", "a", true },
	{ "a", "A", false },
	{ "a", "ab", false },
	{ "*", "", true },
	{ "*", "anything", true },
	{ "a*", "a", true },
	{ "a*", "ba", false },
	{ "*a", "banana", true },
	{ "*.example.org", "www.example.org", true },
	{ "*.example.org", "example.org", false },
	{ "*.example.org", "www.example.org.evil", false },
	{ "a*b*c", "aXbXbXc", true },
	{ "a*b*c", "aXcXb", false },
	{ "**", "x", true },
	{ "a**?", "ab", true },
	{ "a**?", "a", false },
	{ "?", "", false },
	{ "?", "x", true },
	{ "?", "xy", false },
	{ "a?c", "abc", true },
	{ "?", "\xc3\xa4", true },
	{ "a?", "a\xe2\x82\xac", true },
	{ "?\xa4", "\xc3\xa4", false },
	{ "*?*", "\xc3\xa4", true },
	{ "[a]", "a", false },
	{ "a.c", "abc", false },
};

Test(glob, matches_whole_texts)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_assert_eq(glob_matches(str_z(rows[i].pattern), str_z(rows[i].text)),
		    rows[i].matches, "%s %s", rows[i].pattern, rows[i].text);
}

/* Ten stars and no match: trying all divisions of the text would take years. */
Test(glob, takes_no_longer_for_many_stars)
{
	size_t n = 20000;
	char *text = malloc(n);

	memset(text, 'a', n);
	cr_assert_not(glob_matches(STR("a*a*a*a*a*a*a*a*a*a*b"), str_of(text, n)));
	free(text);
}
