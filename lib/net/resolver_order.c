/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver_order - in which order services are tried (RFC 2782).
 */
#include <sodium.h>
#include <stdlib.h>

#include "lib/net/resolver.h"

static int
by_priority(const void *a, const void *b)
{
	const struct resolver_service *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

/* Which of n records of one priority comes first; each is as likely as its weight. */
static size_t
draw(const struct resolver_service *s, size_t n)
{
	uint32_t total = 0, lot;

	for (size_t i = 0; i < n; i++)
		total += s[i].weight;
	lot = randombytes_uniform(total + 1);
	for (size_t i = 0; i < n; i++) {
		if (lot <= s[i].weight)
			return i;
		lot -= s[i].weight;
	}
	return 0;
}

void
resolver_order(struct resolver_service *s, size_t n)
{
	if (n > 1)
		qsort(s, n, sizeof(*s), by_priority);
	for (size_t i = 0; i < n; i++) {
		size_t same = 1, first;
		struct resolver_service swap;

		while (i + same < n && s[i + same].priority == s[i].priority)
			same++;
		first = i + draw(&s[i], same);
		swap = s[i];
		s[i] = s[first];
		s[first] = swap;
	}
}
