/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/preface.h"
#include "tests/unit/lab.h"

static struct loop *loop;
static struct prefaces all;
static struct lab_end peer;
static struct {
	int calls, fd;
	enum preface_end end;
	bool named;
	char client[ADDRESS_TEXT_MAX];
} seen;

static void
on_end(void *arg, int fd, enum preface_end end, const struct address *client, bool named)
{
	cr_assert_eq(arg, &seen);
	seen.calls++;
	seen.fd = fd;
	seen.end = end;
	seen.named = named;
	address_bare(client, seen.client);
}

static void
await(clock_ms timeout)
{
	struct address from;

	cr_assert(address_parse(STR("192.0.2.1"), 0, &from));
	cr_assert(preface_await(&all, lab_pair(&peer), &from, timeout, &seen));
}

static void
setup(void)
{
	loop = loop_new(NULL);
	prefaces_init(&all, loop, on_end);
	memset(&seen, 0, sizeof(seen));
	seen.fd = -1;
	await(60000);
}

static void
teardown(void)
{
	prefaces_close(&all);
	cr_assert(list_empty(&all.waiting));
	if (seen.fd >= 0)
		close(seen.fd);
	lab_close(&peer);
	loop_free(loop);
}

TestSuite(preface, .init = setup, .fini = teardown);

static const char *
left(void)
{
	static char text[64];
	ssize_t n = recv(seen.fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
turns(void)
{
	for (int i = 0; i < 20; i++)
		lab_turn(loop);
}

Test(preface, takes_the_header_and_not_a_byte_more)
{
	lab_say(&peer, "PROXY TCP4 198.51.100.7 203.0.113.1 50000 443\r\nhello");
	UNTIL(loop, seen.calls == 1);
	cr_expect_eq(seen.end, PREFACE_DONE);
	cr_expect(seen.named);
	cr_expect_str_eq(seen.client, "198.51.100.7");
	cr_expect_str_eq(left(), "hello");
}

Test(preface, waits_for_the_rest)
{
	const char *const text = "PROXY TCP4 198.51.100.7 203.0.113.1 50000 443\r\n";

	for (size_t i = 0; text[i] != '\0'; i++) {
		cr_assert_eq(seen.calls, 0);
		cr_assert_eq(lab_put(&peer, text + i, 1), 1);
		turns();
	}
	cr_expect_eq(seen.calls, 1);
	cr_expect_eq(seen.end, PREFACE_DONE);
	cr_expect_str_eq(seen.client, "198.51.100.7");
}

Test(preface, an_unnamed_client_is_the_peer)
{
	lab_say(&peer, "PROXY UNKNOWN\r\n");
	UNTIL(loop, seen.calls == 1);
	cr_expect_eq(seen.end, PREFACE_DONE);
	cr_expect_not(seen.named);
	cr_expect_str_eq(seen.client, "192.0.2.1");
}

Test(preface, anything_else_is_bad)
{
	lab_say(&peer, "GET / HTTP/1.1\r\n");
	UNTIL(loop, seen.calls == 1);
	cr_expect_eq(seen.end, PREFACE_BAD);
}

Test(preface, a_peer_that_says_nothing_is_slow)
{
	prefaces_close(&all);
	cr_assert_eq(seen.end, PREFACE_CUT);
	close(seen.fd);
	lab_close(&peer);
	await(1);
	UNTIL(loop, seen.calls == 2);
	cr_expect_eq(seen.end, PREFACE_SLOW);
}

Test(preface, a_peer_that_leaves_is_gone)
{
	lab_close(&peer);
	UNTIL(loop, seen.calls == 1);
	cr_expect_eq(seen.end, PREFACE_GONE);
}

Test(preface, a_peer_that_leaves_in_mid_header_is_gone)
{
	lab_say(&peer, "PROXY TCP4 198.51");
	turns();
	cr_assert_eq(seen.calls, 0);
	cr_assert_eq(shutdown(peer.fd, SHUT_WR), 0);
	UNTIL(loop, seen.calls == 1);
	cr_expect_eq(seen.end, PREFACE_GONE);
}
