/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners - a table of places (host and port), each with its names, latest first.
 */
#include "lib/matrix/owners.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/net/address.h"

#define LIFETIME_MS 1000
#define PENDING_MAX 1 /* every look-up ends at once */

struct note {
	clock_ms until;
	char name[NAME_MAX_LEN + 1];
};

struct place {
	struct hash_node node;
	struct list recent; /* in the table's list, latest first */
	size_t n;
	struct note *notes[OWNERS_NAMES_MAX]; /* latest first */
	size_t key_len;
	char key[OWNERS_KEY_MAX];
};

struct owners {
	struct loop *loop;
	struct fact_cache *cache;
	struct hash places;
	struct list recent;
	size_t max;
};

struct str
owners_key(struct str host, uint16_t port, char out[OWNERS_KEY_MAX])
{
	char literal[ADDRESS_TEXT_MAX];
	struct address a;
	int n;

	if (address_parse(host, port, &a))
		host = str_z(address_text(&a, literal));
	else if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	n = snprintf(out, OWNERS_KEY_MAX, STR_FMT ":%u", STR_ARG(host), port);
	if (n < 0 || n >= OWNERS_KEY_MAX)
		return STR_NONE;
	for (int i = 0; i < n; i++)
		out[i] = str_lower(out[i]);
	return str_of(out, (size_t)n);
}

/* --- the table --- */

static struct place *
find(const struct owners *o, struct str key)
{
	struct hash_node *n;

	for (n = hash_first(&o->places, hash_str(key)); n != NULL; n = hash_next(n)) {
		struct place *p = HASH_ENTRY(n, struct place, node);

		if (str_eq(str_of(p->key, p->key_len), key))
			return p;
	}
	return NULL;
}

static void
remove_place(struct owners *o, struct place *p)
{
	hash_remove(&o->places, &p->node);
	list_remove(&p->recent);
	for (size_t i = 0; i < p->n; i++)
		free(p->notes[i]);
	free(p);
}

static struct place *
add(struct owners *o, struct str key)
{
	struct place *p;

	if (o->places.count >= o->max)
		remove_place(o, LIST_ENTRY(o->recent.prev, struct place, recent));
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	memcpy(p->key, key.p, key.n);
	p->key_len = key.n;
	list_init(&p->recent);
	if (!hash_insert(&o->places, &p->node, hash_str(key))) {
		free(p);
		return NULL;
	}
	return p;
}

/* Takes the note of `name` out of the place, or makes one. */
static struct note *
take_note(struct place *p, struct str name)
{
	struct note *note;
	size_t i = 0;

	while (i < p->n && !str_eq(str_z(p->notes[i]->name), name))
		i++;
	if (i < p->n) {
		note = p->notes[i];
		p->n--;
		memmove(&p->notes[i], &p->notes[i + 1], (p->n - i) * sizeof(note));
		return note;
	}
	note = calloc(1, sizeof(*note));
	if (note != NULL)
		memcpy(note->name, name.p, name.n);
	return note;
}

static void
put_first(struct place *p, struct note *note)
{
	if (p->n == OWNERS_NAMES_MAX)
		free(p->notes[--p->n]);
	memmove(&p->notes[1], &p->notes[0], p->n * sizeof(note));
	p->notes[0] = note;
	p->n++;
}

void
owners_note(struct owners *o, struct str host, uint16_t port, struct str name, clock_ms until)
{
	char text[OWNERS_KEY_MAX];
	struct str key = owners_key(host, port, text);
	struct note *note;
	struct place *p;

	if (key.n == 0 || name.n > NAME_MAX_LEN)
		return;
	p = find(o, key);
	if (p == NULL && (p = add(o, key)) == NULL)
		return;
	list_remove(&p->recent);
	list_prepend(&o->recent, &p->recent);
	note = take_note(p, name);
	if (note == NULL)
		return;
	note->until = until;
	put_first(p, note);
}

/* --- answers --- */

static void
free_owner(struct snapshot *s)
{
	free(s); /* one piece of memory */
}

static void
forget_old(struct owners *o, struct place *p)
{
	clock_ms now = loop_now(o->loop);
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->notes[i]->until > now)
			p->notes[kept++] = p->notes[i];
		else
			free(p->notes[i]);
	}
	p->n = kept;
}

static struct fact *
make_answer(const struct place *p)
{
	struct destination_owner *owner;
	const char **names;
	size_t texts = 0;
	char *text;

	for (size_t i = 0; i < p->n; i++)
		texts += strlen(p->notes[i]->name) + 1;
	owner = calloc(1, sizeof(*owner) + p->n * sizeof(*names) + texts);
	if (owner == NULL)
		return NULL;
	snapshot_init(&owner->fact.snap, free_owner);
	owner->fact.looked_up = clock_now();
	owner->fact.fresh_until = owner->fact.usable_until = owner->fact.looked_up + LIFETIME_MS;
	names = (const char **)(void *)(owner + 1);
	text = (char *)(names + p->n);
	for (size_t i = 0; i < p->n; i++) {
		names[i] = text;
		text = str_put(text, str_z(p->notes[i]->name)) + 1;
	}
	owner->n = p->n;
	owner->names = names;
	return &owner->fact;
}

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct owners *o = arg;
	struct place *p = find(o, key);

	(void)input;
	if (p != NULL)
		forget_old(o, p);
	if (p != NULL && p->n == 0) {
		remove_place(o, p);
		p = NULL;
	}
	fact_answer(c, key, p != NULL ? make_answer(p) : fact_negative(ERR_NOT_FOUND, LIFETIME_MS));
}

struct owners *
owners_new(struct loop *loop, size_t max_places)
{
	struct owners *o = calloc(1, sizeof(*o));
	const struct fact_config facts = { .name = "owners",
		.max_entries = max_places,
		.max_pending = PENDING_MAX,
		.look_up = look_up,
		.arg = o };

	if (o == NULL)
		return NULL;
	o->loop = loop;
	o->max = max_places > 0 ? max_places : 1;
	hash_init(&o->places);
	list_init(&o->recent);
	o->cache = fact_cache_new(loop, &facts);
	if (o->cache == NULL) {
		owners_free(o);
		return NULL;
	}
	return o;
}

void
owners_free(struct owners *o)
{
	struct list *node;

	if (o == NULL)
		return;
	fact_cache_free(o->cache);
	while ((node = list_first(&o->recent)) != NULL)
		remove_place(o, LIST_ENTRY(node, struct place, recent));
	hash_fini(&o->places);
	free(o);
}

struct fact_cache *
owners_cache(struct owners *o)
{
	return o->cache;
}
