/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/listtext.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/jose/jwsform.h"

#define TAIL 512 /* bytes in which the signature ends */
#define TAG 8    /* bytes of the hash */

static void
free_text(struct snapshot *s)
{
	free(s);
}

struct lists_text *
listtext_new(struct str text)
{
	struct str s = str_strip(text);
	struct lists_text *t = malloc(sizeof(*t) + s.n);
	char *bytes = (char *)(t + 1);

	if (t == NULL)
		return NULL;
	*t = (struct lists_text){ .jws = str_of(bytes, s.n), .version = -1 };
	snapshot_init(&t->snap, free_text);
	str_put(bytes, s);
	return t;
}

void
listtext_name(struct lists_text *t, int64_t version)
{
	struct str tail = t->jws.n > TAIL ? str_from(t->jws, t->jws.n - TAIL) : t->jws;
	unsigned char hash[crypto_generichash_BYTES];
	char hex[2 * TAG + 1];
	struct jwsform form;

	if (jwsform_split(t->jws, &form) == OK)
		t->payload = form.v[0].body;
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)tail.p, tail.n, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, TAG);
	t->version = version;
	snprintf(t->etag, sizeof(t->etag), "%lld-%s", (long long)version, hex);
}
