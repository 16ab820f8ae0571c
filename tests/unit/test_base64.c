/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/base64.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
url_is(const char *text, const char *want)
{
	unsigned char out[64];
	size_t n;

	return base64url_decode(str_z(text), out, sizeof(out), &n) &&
	       str_eq(str_of((char *)out, n), str_z(want));
}

static bool
std_is(const char *text, const char *want)
{
	unsigned char out[64];
	size_t n;

	return base64_decode(str_z(text), out, sizeof(out), &n) &&
	       str_eq(str_of((char *)out, n), str_z(want));
}

Test(base64, decodes_the_vectors_of_rfc_4648)
{
	cr_assert(std_is("", ""));
	cr_assert(std_is("Zg==", "f"));
	cr_assert(std_is("Zm8=", "fo"));
	cr_assert(std_is("Zm9v", "foo"));
	cr_assert(std_is("Zm9vYg==", "foob"));
	cr_assert(std_is("Zm9vYmE=", "fooba"));
	cr_assert(std_is("Zm9vYmFy", "foobar"));
	cr_assert(std_is("Zm9vYg", "foob"));
	cr_assert(url_is("Zm9vYmE", "fooba"));
	cr_assert(url_is("_-8", "\xff\xef"));
	cr_assert(std_is("/+8=", "\xff\xef"));
}

Test(base64, refuses_every_second_spelling)
{
	cr_assert_not(url_is("Zm9vYmE=", "fooba"), "padding in base64url");
	cr_assert_not(url_is("Zh", "f"), "unused bits set");
	cr_assert_not(url_is("Zm9", "fo"), "unused bits set");
	cr_assert_not(url_is("Z", ""), "one character stands for nothing");
	cr_assert_not(url_is("Zm9v\n", "foo"));
	cr_assert_not(url_is(" Zm9v", "foo"));
	cr_assert_not(url_is("/+8", "\xff\xef"), "the other alphabet");
	cr_assert_not(std_is("_-8=", "\xff\xef"), "the other alphabet");
	cr_assert_not(std_is("Zg=", "f"), "half a padding");
	cr_assert_not(std_is("Zg===", "f"));
	cr_assert_not(std_is("Zg==Zg==", "ff"), "padding in the middle");
	cr_assert_not(std_is("=", ""));
	cr_assert_not(std_is("====", ""));
}

Test(base64, knows_exactly_64_characters_of_each_alphabet)
{
	int std = 0, url = 0;

	for (int c = 0; c < 256; c++) {
		char text[4] = { 'A', 'A', 'A', (char)c };
		unsigned char out[3];
		size_t n;

		std += base64_decode(str_of(text, 4), out, sizeof(out), &n) && n == 3;
		url += base64url_decode(str_of(text, 4), out, sizeof(out), &n) && n == 3;
	}
	cr_assert_eq(std, 64);
	cr_assert_eq(url, 64);
}

Test(base64, writes_nothing_past_the_room_given)
{
	unsigned char out[3] = { 0, 0, 0x55 };
	size_t n;

	cr_assert_not(base64url_decode(STR("Zm9v"), out, 2, &n));
	cr_assert_eq(out[2], 0x55);
	cr_assert(base64url_decode(STR("Zm8"), out, 2, &n));
	cr_assert_eq(n, 2);
	cr_assert_eq(out[2], 0x55);
}

Test(base64, decodes_an_exact_number_of_bytes)
{
	static const struct {
		const char *text, *bytes;
	} rows[] = {
		{ "", "" },
		{ "Zg", "f" },
		{ "Zm8", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg", "foob" },
		{ "Zm9vYmE", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9vYg==", "foob" },
	};
	unsigned char out[16];

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = strlen(rows[i].bytes);

		cr_assert(base64_exact(str_z(rows[i].text), out, n), "%s", rows[i].text);
		cr_assert_eq(memcmp(out, rows[i].bytes, n), 0);
		cr_assert_not(base64_exact(str_z(rows[i].text), out, n + 1), "%s", rows[i].text);
		if (n > 0)
			cr_assert_not(
			    base64_exact(str_z(rows[i].text), out, n - 1), "%s", rows[i].text);
	}
	cr_assert(base64_exact(STR("Zh"), out, 1), "surplus bits are ignored");
	cr_assert_eq(out[0], 'f');
	cr_assert_not(base64_exact(STR("Z="), out, 1));
	cr_assert_not(base64_exact(STR("Zg="), out, 1));
	cr_assert_not(base64_exact(STR("Z==="), out, 1));
	cr_assert_not(base64_exact(STR("===="), out, 1));
	cr_assert_not(base64_exact(STR("Z-"), out, 1));
	cr_assert_not(base64_exact(STR("Zm9v\n"), out, 3));
}
