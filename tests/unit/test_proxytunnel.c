/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/net/proxytunnel.h"

static enum proxytunnel_answer
read_answer(const char *text, size_t *len)
{
	int status;

	return proxytunnel_read(str_z(text), len, &status);
}

Test(proxytunnel, opens_with_200_only)
{
	static const char opening[] = "HTTP/1.1 200 Connection established\r\nX-A:\tb c\r\n\r\n";
	int status = 0;
	size_t len = 0;

	cr_assert_eq(read_answer(opening, &len), PROXYTUNNEL_OPEN);
	cr_assert_eq(len, sizeof(opening) - 1);
	cr_assert_eq(read_answer("HTTP/1.0 200\r\n\r\n\x16\x03", &len), PROXYTUNNEL_OPEN);
	cr_assert_eq(len, 16);
	cr_assert_eq(proxytunnel_read(STR("HTTP/1.1 407 No\r\n\r\n"), &len, &status),
	    PROXYTUNNEL_REFUSED);
	cr_assert_eq(status, 407);
	cr_assert_eq(read_answer("HTTP/1.1 100 Continue\r\n\r\n", &len), PROXYTUNNEL_REFUSED);
}

Test(proxytunnel, reads_no_half_answer)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
	size_t len;
	int status;

	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		cr_assert_eq(proxytunnel_read(str_of(whole, n), &len, &status), PROXYTUNNEL_MORE);
}

Test(proxytunnel, takes_nothing_but_http_1)
{
	static const char *const bad[] = { "\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\nA : x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: x\ny\r\n\r\n", "HTTP/1.1 200 OK\nA: x\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n" };
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_answer(bad[i], &len), PROXYTUNNEL_BAD, "%s", bad[i]);
}

Test(proxytunnel, asks_in_one_piece)
{
	struct buf out;

	buf_init(&out, 1000);
	cr_assert(proxytunnel_ask(&out, "[2001:db8::1]:8448", NULL));
	cr_assert(str_eq(buf_str(&out), STR("CONNECT [2001:db8::1]:8448 HTTP/1.1\r\n"
					    "Host: [2001:db8::1]:8448\r\n\r\n")));
	cr_assert_not(proxytunnel_ask(&out, "a:1\nX: y", NULL));
	buf_fini(&out);
}
