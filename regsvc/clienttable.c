/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/clienttable.h"

#include <stdlib.h>

/* Where the id is, or would be. */
static size_t
place_of(const struct clienttable *t, struct str id)
{
	size_t from = 0, to = t->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (str_cmp(str_z(t->v[mid].id), id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool
grow(struct clienttable *t)
{
	size_t room = t->room > 0 ? 2 * t->room : 16;
	struct client *v = t->n < t->room ? t->v : realloc(t->v, room * sizeof(*v));

	if (v == NULL)
		return false;
	if (v != t->v)
		t->room = room;
	t->v = v;
	return true;
}

bool
clienttable_set(struct clienttable *t, const struct client *record)
{
	size_t at = place_of(t, str_z(record->id));

	if (at == t->n || strcmp(t->v[at].id, record->id) != 0) {
		if (!grow(t))
			return false;
		memmove(t->v + at + 1, t->v + at, (t->n - at) * sizeof(*t->v));
		t->n++;
	}
	t->v[at] = *record;
	return true;
}

void
clienttable_fini(struct clienttable *t)
{
	free(t->v);
	*t = (struct clienttable){ 0 };
}

bool
clienttable_append(struct clienttable *t, const struct client *record)
{
	if (!grow(t))
		return false;
	t->v[t->n++] = *record;
	return true;
}

const struct client *
clienttable_find(const struct clienttable *t, struct str id)
{
	size_t at = place_of(t, id);

	if (at == t->n || !str_eq(str_z(t->v[at].id), id))
		return NULL;
	return &t->v[at];
}

const struct client *
clienttable_of(const struct clienttable *t, const char *fingerprint, int64_t now)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].method == PRINCIPAL_MTLS && client_shows(&t->v[i], fingerprint, now))
			return &t->v[i];
	return NULL;
}

bool
clienttable_uses(const struct clienttable *t, const char *fingerprint, const char *except)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct client *o = &t->v[i];

		if (o->by_certificate && strcmp(o->id, except) != 0 &&
		    (strcmp(o->proof, fingerprint) == 0 || strcmp(o->previous, fingerprint) == 0))
			return true;
	}
	return false;
}
