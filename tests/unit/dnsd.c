/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dnsd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/net/dnsanswer.h"

#define TYPE_CNAME 5
#define HEADER 12

static unsigned char *
put(unsigned char *at, uint32_t v, unsigned bytes)
{
	while (bytes-- > 0)
		*at++ = (unsigned char)(v >> (8 * bytes));
	return at;
}

static unsigned char *
put_name(unsigned char *at, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		*at++ = (unsigned char)n;
		memcpy(at, name, n);
		at += n;
		name += name[n] == '.' ? n + 1 : n;
	}
	*at++ = 0;
	return at;
}

static size_t /* behind the question */
read_question(const unsigned char *q, char *name, uint16_t *type)
{
	size_t at = HEADER;

	*name = '\0';
	for (; q[at] != 0; at += q[at] + 1u) {
		if (at > HEADER)
			strcat(name, ".");
		strncat(name, (const char *)q + at + 1, q[at]);
	}
	*type = (uint16_t)(q[at + 1] << 8 | q[at + 2]);
	return at + 5;
}

static unsigned char *
put_record(unsigned char *at, const struct dnsd_record *r)
{
	at = put_name(at, r->name);
	at = put(at, r->type, 2);
	at = put(at, 1, 2);
	at = put(at, r->ttl, 4);
	at = put(at, r->n, 2);
	memcpy(at, r->data, r->n);
	return at + r->n;
}

static unsigned char *
put_soa(unsigned char *at, uint32_t minimum)
{
	at = put_name(at, "test");
	at = put(at, DNS_TYPE_SOA, 2);
	at = put(at, 1, 2);
	at = put(at, 86400, 4);
	at = put(at, 22, 2);
	memset(at, 0, 2 + 16); /* two names, both the root; four numbers */
	return put(at + 2 + 16, minimum, 4);
}

/* The records for a question, aliases followed; *exists: the name has records of some type. */
static unsigned
put_answers(struct dnsd *d, const char *name, uint16_t type, unsigned char **at, bool *exists)
{
	unsigned count = 0;

	for (unsigned i = 0; i < d->n; i++) {
		const struct dnsd_record *r = &d->records[i];

		if (strcasecmp(r->name, name) != 0)
			continue;
		*exists = true;
		if (r->type != type && r->type != TYPE_CNAME)
			continue;
		*at = put_record(*at, r);
		count++;
		if (r->type == TYPE_CNAME && type != TYPE_CNAME) {
			char to[128];
			uint16_t unused;
			unsigned char q[HEADER + 300] = { 0 };

			memcpy(q + HEADER, r->data, r->n);
			read_question(q, to, &unused);
			count += put_answers(d, to, type, at, exists);
		}
	}
	return count;
}

/* The length of the answer; 0: none. */
static size_t
answer(struct dnsd *d, unsigned char *m)
{
	char name[300];
	uint16_t type;
	size_t end = read_question(m, name, &type);
	unsigned char *at = m + end;
	bool exists = false, fails = d->code != 0 && (d->of_type == 0 || d->of_type == type);
	unsigned count = 0;

	d->asked++;
	if (fails && d->spare > 0) {
		d->spare--;
		fails = false;
	}
	if (fails && d->code < 0)
		return 0;
	if (!fails)
		count = put_answers(d, name, type, &at, &exists);
	m[2] = 0x85;
	m[3] = (unsigned char)(0x80 | (fails ? d->code : exists ? 0 : 3));
	memset(m + 4, 0, 8);
	m[5] = 1;
	m[7] = (unsigned char)count;
	if (!fails && count == 0 && d->minimum >= 0) {
		at = put_soa(at, (uint32_t)d->minimum);
		m[9] = 1;
	}
	return (size_t)(at - m);
}

static void *
serve(void *arg)
{
	struct dnsd *d = arg;
	unsigned char m[8192];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(d->fd, m, 512, 0, (struct sockaddr *)&from, &len)) > HEADER) {
		size_t size;

		pthread_mutex_lock(&d->lock);
		size = answer(d, m);
		pthread_mutex_unlock(&d->lock);
		if (size > 0)
			sendto(d->fd, m, size, 0, (struct sockaddr *)&from, len);
	}
	return NULL; /* a short message ends it */
}

void
dnsd_open(struct dnsd *d)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	*d = (struct dnsd){ .minimum = 60 };
	pthread_mutex_init(&d->lock, NULL);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(d->fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	getsockname(d->fd, (struct sockaddr *)&sa, &len);
	d->port = ntohs(sa.sin_port);
	snprintf(d->where, sizeof(d->where), "127.0.0.1:%u", d->port);
	cr_assert_eq(pthread_create(&d->thread, NULL, serve, d), 0);
}

void
dnsd_close(struct dnsd *d)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(d->port) };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sendto(d->fd, "", 0, 0, (const struct sockaddr *)&sa, sizeof(sa));
	pthread_join(d->thread, NULL);
	close(d->fd);
	pthread_mutex_destroy(&d->lock);
}

/* --- what it knows --- */

void
dnsd_clear(struct dnsd *d)
{
	pthread_mutex_lock(&d->lock);
	d->n = 0;
	pthread_mutex_unlock(&d->lock);
}

void
dnsd_fail(struct dnsd *d, int code, int of_type)
{
	pthread_mutex_lock(&d->lock);
	d->code = code;
	d->of_type = of_type;
	pthread_mutex_unlock(&d->lock);
}

unsigned
dnsd_asked(struct dnsd *d)
{
	unsigned asked;

	pthread_mutex_lock(&d->lock);
	asked = d->asked;
	pthread_mutex_unlock(&d->lock);
	return asked;
}

static void
add(struct dnsd *d, const char *name, uint16_t type, uint32_t ttl, const void *data, size_t n)
{
	struct dnsd_record *r;

	pthread_mutex_lock(&d->lock);
	cr_assert_lt(d->n, DNSD_RECORDS);
	r = &d->records[d->n++];
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->type = type;
	r->ttl = ttl;
	r->n = (unsigned)n;
	memcpy(r->data, data, n);
	pthread_mutex_unlock(&d->lock);
}

void
dnsd_a(struct dnsd *d, const char *name, uint32_t ttl, const char *address)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, address, bytes) == 1)
		add(d, name, DNS_TYPE_A, ttl, bytes, 4);
	else if (inet_pton(AF_INET6, address, bytes) == 1)
		add(d, name, DNS_TYPE_AAAA, ttl, bytes, 16);
	else
		cr_assert_fail("not an address");
}

void
dnsd_cname(struct dnsd *d, const char *name, uint32_t ttl, const char *target)
{
	unsigned char data[300];

	add(d, name, TYPE_CNAME, ttl, data, (size_t)(put_name(data, target) - data));
}

void
dnsd_srv(struct dnsd *d, const char *name, uint32_t ttl, unsigned priority, unsigned weight,
    uint16_t port, const char *target)
{
	unsigned char data[300], *at = data;

	at = put(at, priority, 2);
	at = put(at, weight, 2);
	at = put(at, port, 2);
	at = put_name(at, target);
	add(d, name, DNS_TYPE_SRV, ttl, data, (size_t)(at - data));
}
