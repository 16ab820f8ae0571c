/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/staples.h"

#include <stdlib.h>

static void
staples_free(struct snapshot *s)
{
	free(s);
}

struct tls_staples *
tls_staples_of(const struct tls_staple *staples, size_t n)
{
	struct tls_staples *t;
	size_t bytes = 0;
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += staples[i].der.n;
	t = calloc(1, sizeof(*t) + n * sizeof(*staples) + bytes);
	if (t == NULL)
		return NULL;
	snapshot_init(&t->snap, staples_free);
	t->n = n;
	at = (char *)&t->of[n];
	for (size_t i = 0; i < n; i++) {
		t->of[i] = (struct tls_staple){ .der = str_of(at, staples[i].der.n),
			.until = staples[i].until };
		at = str_put(at, staples[i].der);
	}
	return t;
}
