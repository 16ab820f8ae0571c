/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/kinds.h"

#include <stdlib.h>

void
kinds_init(struct kinds *k)
{
	*k = (struct kinds){ .bytes = 0 };
	hash_init(&k->apps);
	hash_init(&k->kinds);
}

void
kinds_fini(struct kinds *k)
{
	hash_fini(&k->apps);
	hash_fini(&k->kinds);
}

/* --- apps --- */

struct kind_app *
kinds_app(const struct kinds *k, struct str app_id)
{
	for (struct hash_node *n = hash_first(&k->apps, hash_str(app_id)); n != NULL;
	     n = hash_next(n)) {
		struct kind_app *a = HASH_ENTRY(n, struct kind_app, node);

		if (str_eq(str_of(a->id, a->n), app_id))
			return a;
	}
	return NULL;
}

static struct kind_app *
app_new(struct kinds *k, struct str app_id)
{
	struct kind_app *a = malloc(sizeof(*a) + app_id.n);

	if (a == NULL || !hash_insert(&k->apps, &a->node, hash_str(app_id))) {
		free(a);
		return NULL;
	}
	a->kinds = a->pushes = 0;
	a->lane = 0;
	a->n = app_id.n;
	str_put(a->id, app_id);
	k->bytes += sizeof(*a) + a->n;
	return a;
}

static void
app_drop(struct kinds *k, struct kind_app *a)
{
	if (a->kinds > 0)
		return;
	hash_remove(&k->apps, &a->node);
	k->bytes -= sizeof(*a) + a->n;
	free(a);
}

void
kinds_each(struct kinds *k, void (*fn)(void *arg, struct kind_app *app), void *arg)
{
	for (size_t i = 0; i < k->apps.size; i++)
		for (struct hash_node *n = k->apps.buckets[i]; n != NULL; n = n->next)
			fn(arg, HASH_ENTRY(n, struct kind_app, node));
}

/* --- with their data --- */

static uint64_t
hash_of(const struct kind_app *a, struct str data)
{
	return hash_str(data) ^ a->node.hash;
}

static struct kind *
find(const struct kinds *k, const struct kind_app *a, struct str data)
{
	for (struct hash_node *n = hash_first(&k->kinds, hash_of(a, data)); n != NULL;
	     n = hash_next(n)) {
		struct kind *kind = HASH_ENTRY(n, struct kind, node);

		if (kind->app == a && str_eq(str_of(kind->data, kind->n), data))
			return kind;
	}
	return NULL;
}

static struct kind *
kind_new(struct kinds *k, struct kind_app *a, struct str data)
{
	struct kind *kind = malloc(sizeof(*kind) + data.n);

	if (kind == NULL || !hash_insert(&k->kinds, &kind->node, hash_of(a, data))) {
		free(kind);
		return NULL;
	}
	kind->app = a;
	kind->pushes = 0;
	kind->n = data.n;
	str_put(kind->data, data);
	a->kinds++;
	k->bytes += sizeof(*kind) + kind->n;
	return kind;
}

struct kind *
kinds_hold(struct kinds *k, struct str app_id, struct str data, bool *is_new)
{
	struct kind_app *a = kinds_app(k, app_id);
	struct kind *kind;

	*is_new = a == NULL;
	if (a == NULL)
		a = app_new(k, app_id);
	if (a == NULL)
		return NULL;
	kind = find(k, a, data);
	if (kind == NULL)
		kind = kind_new(k, a, data);
	if (kind == NULL) {
		app_drop(k, a);
		return NULL;
	}
	kind->pushes++;
	a->pushes++;
	return kind;
}

void
kinds_drop(struct kinds *k, struct kind *kind)
{
	struct kind_app *a = kind->app;

	a->pushes--;
	if (--kind->pushes > 0)
		return;
	hash_remove(&k->kinds, &kind->node);
	k->bytes -= sizeof(*kind) + kind->n;
	free(kind);
	a->kinds--;
	app_drop(k, a);
}
