/* SPDX-License-Identifier: Apache-2.0 */
/* Against a name server in a thread of the test, which knows:
 *   _matrix-fed._tcp.srv.test  two services      none.test     exists, without any record
 *   a.test                     192.0.2.7         broken.test   SERVFAIL       anything else:
 * NXDOMAIN */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/net/resolver.h"

#define TYPE_A 1
#define TYPE_SRV 33

static int server;
static pthread_t thread;
static struct loop *loop;
static struct resolver *resolver;

static struct {
	size_t calls;
	enum err err;
	size_t n;
	char first[RESOLVER_NAME_MAX];
	uint16_t port;
} got;

/* --- the name server --- */

static size_t
read_name(const unsigned char *q, char *out)
{
	size_t at = 12;

	*out = '\0';
	for (; q[at] != 0; at += q[at] + 1u) {
		strncat(out, (const char *)q + at + 1, q[at]);
		strcat(out, ".");
	}
	return at + 1;
}

static void
put16(unsigned char **at, unsigned v)
{
	*(*at)++ = (unsigned char)(v >> 8);
	*(*at)++ = (unsigned char)v;
}

static void
put_head(unsigned char **at, unsigned type, unsigned len)
{
	put16(at, 0xc00c); /* the name asked for */
	put16(at, type);
	put16(at, 1);
	put16(at, 0);
	put16(at, 60);
	put16(at, len);
}

static void
put_srv(unsigned char **at, unsigned priority, unsigned port, const char *label)
{
	unsigned n = (unsigned)strlen(label);

	put_head(at, TYPE_SRV, 6 + n + 2);
	put16(at, priority);
	put16(at, 1);
	put16(at, port);
	*(*at)++ = (unsigned char)n;
	memcpy(*at, label, n);
	*at += n;
	*(*at)++ = 0;
}

static size_t
answer(unsigned char *m, size_t n)
{
	static const unsigned char addr[] = { 192, 0, 2, 7 };
	char name[300];
	size_t end = read_name(m, name) + 4;
	unsigned type = m[end - 3], code = 3, count = 0;
	unsigned char *at = m + end;

	if (strcmp(name, "none.test.") == 0 || strcmp(name, "a.test.") == 0)
		code = 0;
	if (strcmp(name, "broken.test.") == 0 || strcmp(name, "_matrix-fed._tcp.broken.test.") == 0)
		code = 2;
	if (strcmp(name, "a.test.") == 0 && type == TYPE_A) {
		put_head(&at, TYPE_A, sizeof(addr));
		memcpy(at, addr, sizeof(addr));
		at += sizeof(addr);
		count = 1;
	}
	if (strcmp(name, "_matrix-fed._tcp.srv.test.") == 0 && type == TYPE_SRV) {
		put_srv(&at, 20, 2, "second");
		put_srv(&at, 10, 1, "first");
		code = 0;
		count = 2;
	}
	m[2] = 0x81;
	m[3] = (unsigned char)(0x80 | code);
	memset(m + 4, 0, 8);
	m[5] = 1;
	m[7] = (unsigned char)count;
	return (size_t)(at - m);
}

static void *
serve(void *arg)
{
	unsigned char m[1024];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(server, m, 512, 0, (struct sockaddr *)&from, &len)) > 12)
		sendto(server, m, answer(m, (size_t)n), 0, (struct sockaddr *)&from, len);
	return NULL; /* a short message ends it */
}

/* --- the client --- */

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	got.calls++;
	got.err = err;
	got.n = n;
	if (n > 0) {
		address_text(&addrs[0], got.first);
		got.port = ntohs(addrs[0].in.sin_port);
	}
	loop_stop(loop);
}

static void
on_services(void *arg, enum err err, const struct resolver_service *s, size_t n)
{
	got.calls++;
	got.err = err;
	got.n = n;
	if (n > 0) {
		snprintf(got.first, sizeof(got.first), "%s", s[0].target);
		got.port = s[0].port;
	}
	loop_stop(loop);
}

static void
ask_addrs(struct str host)
{
	struct resolver_req q;

	resolver_req_init(&q);
	cr_assert(resolver_addrs(resolver, host, 443, &q, on_addrs, NULL));
	cr_assert_eq(got.calls, 0);
	loop_run(loop);
	cr_assert_eq(got.calls, 1);
}

static void
ask_services(struct str host)
{
	struct resolver_req q;

	resolver_req_init(&q);
	cr_assert(
	    resolver_services(resolver, STR("_matrix-fed._tcp"), host, &q, on_services, NULL));
	cr_assert_eq(got.calls, 0);
	loop_run(loop);
	cr_assert_eq(got.calls, 1);
}

static struct sockaddr_in sa;

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "Fixed.test", "192.0.2.1" },
		{ "fixed.test", "::1" } };
	char text[32];
	const char *nameservers[] = { text };
	const struct resolver_config cfg = { hosts, 2, nameservers, 1, 2000, 3 };
	socklen_t len = sizeof(sa);

	sa.sin_family = AF_INET;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	getsockname(server, (struct sockaddr *)&sa, &len);
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(sa.sin_port));
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &cfg);
	cr_assert_not_null(resolver);
}

static void
teardown(void)
{
	resolver_free(resolver);
	loop_free(loop);
	sendto(server, "", 0, 0, (const struct sockaddr *)&sa, sizeof(sa));
	pthread_join(thread, NULL);
	close(server);
}

TestSuite(resolver, .init = setup, .fini = teardown);

Test(resolver, finds_addresses)
{
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.first, "192.0.2.7");
	cr_assert_eq(got.port, 443);
}

Test(resolver, prefers_fixed_hosts_whatever_the_case)
{
	ask_addrs(STR("FIXED.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 2);
	cr_assert_str_eq(got.first, "192.0.2.1");
}

Test(resolver, takes_literals_as_they_are)
{
	ask_addrs(STR("[2001:db8::1]"));
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.first, "[2001:db8::1]");
}

Test(resolver, says_when_there_is_no_address)
{
	ask_addrs(STR("none.test"));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, says_when_there_is_no_such_name)
{
	ask_addrs(STR("nobody.test"));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, orders_services_by_priority)
{
	ask_services(STR("srv.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 2);
	cr_assert_str_eq(got.first, "first");
	cr_assert_eq(got.port, 1);
}

Test(resolver, tells_no_services_from_a_failing_name_server)
{
	ask_services(STR("nobody.test"));
	cr_assert_eq(got.err, ERR_NOT_FOUND);
}

Test(resolver, tells_a_failing_name_server_from_no_services)
{
	ask_services(STR("broken.test"));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, has_no_services_for_fixed_hosts)
{
	ask_services(STR("fixed.test"));
	cr_assert_eq(got.err, ERR_NOT_FOUND);
}

Test(resolver, refuses_names_that_are_too_long)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	ask_addrs(str_of(name, sizeof(name)));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, calls_nobody_who_cancelled)
{
	struct resolver_req flying, literal;

	resolver_req_init(&flying);
	resolver_req_init(&literal);
	cr_assert(resolver_addrs(resolver, STR("a.test"), 1, &flying, on_addrs, NULL));
	cr_assert(resolver_addrs(resolver, STR("::1"), 1, &literal, on_addrs, NULL));
	resolver_cancel(&flying);
	resolver_cancel(&literal);
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.n, 1);
}

Test(resolver, is_freed_with_queries_in_flight)
{
	static struct resolver_req flying, literal;

	resolver_req_init(&flying);
	resolver_req_init(&literal);
	cr_assert(resolver_addrs(resolver, STR("a.test"), 1, &flying, on_addrs, NULL));
	cr_assert(resolver_addrs(resolver, STR("::1"), 1, &literal, on_addrs, NULL));
}

Test(resolver_order, draws_only_within_one_priority)
{
	struct resolver_service s[] = { { "c", 1, 2, 0 }, { "a", 1, 1, 9 }, { "b", 1, 1, 0 },
		{ "d", 1, 3, 5 } };

	for (int i = 0; i < 100; i++) {
		resolver_order(s, 4);
		cr_assert_eq(s[0].priority, 1);
		cr_assert_eq(s[1].priority, 1);
		cr_assert_str_eq(s[2].target, "c");
		cr_assert_str_eq(s[3].target, "d");
	}
}
