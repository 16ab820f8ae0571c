/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/jose/b64.h"

static bool
url_is(const char *text, const char *want)
{
	unsigned char out[64];
	size_t n;

	return b64url_decode(str_z(text), out, sizeof(out), &n) &&
	       str_eq(str_of((char *)out, n), str_z(want));
}

static bool
std_is(const char *text, const char *want)
{
	unsigned char out[64];
	size_t n;

	return b64_decode(str_z(text), out, sizeof(out), &n) &&
	       str_eq(str_of((char *)out, n), str_z(want));
}

Test(b64, decodes_the_vectors_of_rfc_4648)
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

Test(b64, refuses_every_second_spelling)
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

Test(b64, knows_exactly_64_characters_of_each_alphabet)
{
	int std = 0, url = 0;

	for (int c = 0; c < 256; c++) {
		char text[4] = { 'A', 'A', 'A', (char)c };
		unsigned char out[3];
		size_t n;

		std += b64_decode(str_of(text, 4), out, sizeof(out), &n) && n == 3;
		url += b64url_decode(str_of(text, 4), out, sizeof(out), &n) && n == 3;
	}
	cr_assert_eq(std, 64);
	cr_assert_eq(url, 64);
}

Test(b64, writes_nothing_past_the_room_given)
{
	unsigned char out[3] = { 0, 0, 0x55 };
	size_t n;

	cr_assert_not(b64url_decode(STR("Zm9v"), out, 2, &n));
	cr_assert_eq(out[2], 0x55);
	cr_assert(b64url_decode(STR("Zm8"), out, 2, &n));
	cr_assert_eq(n, 2);
	cr_assert_eq(out[2], 0x55);
}
