/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/conf/load.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"

#define SCRATCH_MAX (64 << 20)
#define NAME_MAX_SHOWN 64

struct load_place {
	struct load_place *next;
	const void *field;
	struct tree_mark at;
	bool given; /* false: a default; `at` is its section */
};

static void fill(struct load *l, const struct tree_node *map, struct tree_mark at,
    const char *section, const struct conf_option *rows, void *base);

void
load_init(struct load *l, const char *path, struct arena *values, struct buf *errors)
{
	char *copy = strdup(path);

	*l = (struct load){ .faults = { .path = path, .out = errors } };
	arena_init(&l->scratch, SCRATCH_MAX);
	l->folder = copy != NULL ? realpath(dirname(copy), NULL) : NULL;
	l->ctx.arena = values;
	l->ctx.folder = l->folder;
	free(copy);
}

void
load_fini(struct load *l)
{
	arena_fini(&l->scratch);
	free(l->folder);
	l->folder = NULL;
	l->ctx.folder = NULL;
}

bool
load_ok(const struct load *l)
{
	return l->faults.count == 0;
}

static void
remember(struct load *l, const void *field, struct tree_mark at, bool given)
{
	struct load_place *p = arena_alloc(&l->scratch, sizeof(*p));

	if (p == NULL)
		return; /* the fault would be shown without its line */
	*p = (struct load_place){ .next = l->places, .field = field, .at = at, .given = given };
	l->places = p;
}

static const struct load_place *
place_of(const struct load *l, const void *field)
{
	const struct load_place *p = l->places;

	while (p != NULL && p->field != field)
		p = p->next;
	return p;
}

void
load_fault(struct load *l, const void *field, const char *fmt, ...)
{
	const struct load_place *p = place_of(l, field);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tree_fault(&l->faults, p != NULL ? p->at : (struct tree_mark){ 0, 0 }, "%s", text);
}

void
load_moved(struct load *l, const void *from, const void *to)
{
	const struct load_place *p = place_of(l, from);

	if (p != NULL)
		remember(l, to, p->at, p->given);
}

bool
load_given(const struct load *l, const void *field)
{
	const struct load_place *p = place_of(l, field);

	return p != NULL && p->given;
}

/* Edit distance of two names, a swap of neighbours counting as one; names past the bound differ a
 * lot. */
static size_t
distance(struct str a, struct str b)
{
	size_t d[3][NAME_MAX_SHOWN + 1];

	if (a.n > NAME_MAX_SHOWN || b.n > NAME_MAX_SHOWN)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = d[i % 3], *up = d[(i + 2) % 3], *upper = d[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t best = up[j - 1] + (str_lower(a.p[i - 1]) != str_lower(b.p[j - 1]));

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && upper[j - 2] + 1 < best)
				best = upper[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[a.n % 3][b.n];
}

static const char *
nearest(const struct conf_option *rows, struct str name)
{
	size_t best = name.n <= 3 ? 2 : name.n <= 8 ? 3 : 4; /* not further than that */
	const char *found = NULL;

	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		size_t d = distance(name, str_z(r->name));

		if (d < best) {
			best = d;
			found = r->name;
		}
	}
	return found;
}

static void
unknown_key(struct load *l, const struct tree_node *key, const struct conf_option *rows)
{
	char shown[TREE_SHOW_MAX + 4], known[512] = "";
	const char *near = nearest(rows, key->text);
	size_t n = 0;

	tree_show(key->text, shown);
	if (near != NULL) {
		tree_fault(
		    &l->faults, key->at, "unknown key '%s'; did you mean '%s'?", shown, near);
		return;
	}
	for (const struct conf_option *r = rows; r->name != NULL && n < sizeof(known); r++)
		n += (size_t)snprintf(
		    known + n, sizeof(known) - n, "%s%s", n > 0 ? ", " : "", r->name);
	tree_fault(&l->faults, key->at, "unknown key '%s'; known here are %s", shown, known);
}

static void
check_keys(struct load *l, const struct tree_node *map, const struct conf_option *rows)
{
	for (const struct tree_node *c = map->first; c != NULL; c = c->next) {
		const struct conf_option *r = rows;
		const struct tree_node *earlier = map->first;

		while (r->name != NULL && !str_eq(str_z(r->name), c->key->text))
			r++;
		if (r->name == NULL) {
			unknown_key(l, c->key, rows);
			continue;
		}
		while (earlier != c && !str_eq(earlier->key->text, c->key->text))
			earlier = earlier->next;
		if (earlier != c)
			tree_fault(&l->faults, c->key->at,
			    "key '%s' appears twice; it is already in line %zu", r->name,
			    earlier->key->at.line);
	}
}

static const struct tree_node *
find(const struct tree_node *map, const char *name)
{
	const struct tree_node *c = map != NULL ? map->first : NULL;

	while (c != NULL && !str_eq(c->key->text, str_z(name)))
		c = c->next;
	return c;
}

/* Is the node of the kind the row needs? */
static bool
kind_fits(struct load *l, const struct conf_option *row, const struct tree_node *n)
{
	bool list = conf_type_is_list(row->type) || row->type == CONF_SEQUENCE;
	bool map = row->type == CONF_MAP || row->type == CONF_SECTION;
	enum tree_kind needed = list ? TREE_LIST : map ? TREE_MAP : TREE_SCALAR;
	static const char *const kinds[] = { "a single value", "a list", "a map" };

	if (tree_is_null(n)) {
		if (row->type == CONF_SECTION)
			return true; /* everything below it is commented out */
		tree_fault(&l->faults, n->at, "%s has no value; expected %s, or remove the line",
		    row->name, conf_type_expected(row->type));
		return false;
	}
	if (n->kind == needed)
		return true;
	tree_fault(&l->faults, n->at, "%s is %s; expected %s", row->name, kinds[n->kind],
	    conf_type_expected(row->type));
	return false;
}

static bool
count_fits(struct load *l, const struct conf_option *row, struct tree_mark at, size_t n)
{
	if (n >= row->min && n <= row->max)
		return true;
	if (n < row->min)
		tree_fault(&l->faults, at, "%s has %zu entries; at least %llu needed", row->name, n,
		    (unsigned long long)row->min);
	else
		tree_fault(&l->faults, at, "%s has %zu entries; at most %llu allowed", row->name, n,
		    (unsigned long long)row->max);
	return false;
}

static void *
allocate(struct load *l, size_t n, size_t size, struct tree_mark at)
{
	void *p = arena_alloc(l->ctx.arena, (n > 0 ? n : 1) * size);

	if (p == NULL)
		tree_fault(&l->faults, at, "out of memory");
	return p;
}

static void
set_scalar(struct load *l, const struct conf_option *row, const struct tree_node *n, void *field)
{
	enum conf_type type =
	    conf_type_is_list(row->type) ? conf_element_type(row->type) : row->type;

	remember(l, field, n->at, true);
	if (n->kind != TREE_SCALAR)
		tree_fault(&l->faults, n->at, "an entry of %s is not a single value; expected %s",
		    row->name, conf_type_expected(type));
	else if (!conf_value_set(&l->ctx, row, type, n->text, field))
		tree_fault(&l->faults, n->at, "%s: %s", row->name, l->ctx.why);
}

static void
set_list(struct load *l, const struct conf_option *row, const struct tree_node *n, void *field)
{
	struct conf_list *list = field;

	remember(l, field, n->at, true);
	if (!count_fits(l, row, n->at, n->n))
		return;
	if (row->type != CONF_FLAGS) {
		list->v = allocate(l, n->n, sizeof(char *), n->at);
		if (list->v == NULL)
			return;
	}
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		set_scalar(l, row, c, row->type == CONF_FLAGS ? field : &list->v[list->n]);
		if (row->type != CONF_FLAGS)
			list->n++;
	}
}

static char *
new_items(struct load *l, const struct conf_option *row, const struct tree_node *n, void *base)
{
	char *items;

	remember(l, (char *)base + row->field.at, n->at, true);
	if (!count_fits(l, row, n->at, n->n))
		return NULL;
	items = allocate(l, n->n, row->item_size, n->at);
	if (items == NULL)
		return NULL;
	memcpy((char *)base + row->field.at, &items, sizeof(items));
	memcpy((char *)base + row->count.at, &n->n, sizeof(n->n));
	return items;
}

static void
set_sequence(struct load *l, const struct conf_option *row, const struct tree_node *n, void *base)
{
	char *item = new_items(l, row, n, base);

	if (item == NULL)
		return;
	for (const struct tree_node *c = n->first; c != NULL; c = c->next, item += row->item_size) {
		remember(l, item, c->at, true);
		if (c->kind == TREE_MAP) {
			fill(l, c, c->at, "", row->rows, item);
			continue;
		}
		tree_fault(&l->faults, c->at,
		    "an item of %s is not a map; expected \"key: value\" lines", row->name);
	}
}

static void
set_map(struct load *l, const struct conf_option *row, const struct tree_node *n, void *base)
{
	char *item = new_items(l, row, n, base);

	if (item == NULL)
		return;
	for (const struct tree_node *c = n->first; c != NULL; c = c->next, item += row->item_size) {
		const struct tree_node *earlier = n->first;

		while (earlier != c && !str_eq(earlier->key->text, c->key->text))
			earlier = earlier->next;
		if (earlier != c)
			tree_fault(&l->faults, c->key->at,
			    "'%s' appears twice; it is already in line %zu", c->key->text.p,
			    earlier->key->at.line);
		set_scalar(l, &row->rows[0], c->key, item + row->rows[0].field.at);
		set_scalar(l, &row->rows[1], c, item + row->rows[1].field.at);
	}
}

static void
set(struct load *l, const struct conf_option *row, const struct tree_node *n, void *base)
{
	void *field = (char *)base + row->field.at;

	if (!kind_fits(l, row, n))
		return;
	if (row->type == CONF_SECTION)
		fill(l, n->kind == TREE_MAP ? n : NULL, n->key->at, row->name, row->rows, field);
	else if (row->type == CONF_SEQUENCE)
		set_sequence(l, row, n, base);
	else if (row->type == CONF_MAP)
		set_map(l, row, n, base);
	else if (conf_type_is_list(row->type))
		set_list(l, row, n, field);
	else
		set_scalar(l, row, n, field);
}

/* A default that is a list: "a, b".  A default is ours, so a bad one is a fault of the program; it
 * is still reported. */
static void
preset_list(struct load *l, const struct conf_option *row, struct tree_mark at, void *field)
{
	struct tree_node list = { .kind = TREE_LIST, .at = at };
	struct str rest = str_z(row->preset), item;

	while (rest.n > 0) {
		struct tree_node *c = arena_alloc(&l->scratch, sizeof(*c));

		if (c == NULL)
			return;
		str_cut(rest, ',', &item, &rest);
		*c = (struct tree_node){ .kind = TREE_SCALAR, .at = at, .text = str_trim(item) };
		*(list.last != NULL ? &list.last->next : &list.first) = c;
		list.last = c;
		list.n++;
	}
	set_list(l, row, &list, field);
}

static void
preset(struct load *l, const struct conf_option *row, struct tree_mark at, const char *section,
    void *base)
{
	void *field = (char *)base + row->field.at;

	if (row->type == CONF_SECTION) {
		fill(l, NULL, at, row->name, row->rows, field);
		return;
	}
	if (row->preset == NULL)
		tree_fault(&l->faults, at, "'%s%s%s' is missing: %s", section,
		    *section != '\0' ? "." : "", row->name, row->help);
	else if (conf_type_is_list(row->type))
		preset_list(l, row, at, field);
	else if (row->type != CONF_MAP && row->type != CONF_SEQUENCE &&
		 !conf_value_set(&l->ctx, row, row->type, str_z(row->preset), field))
		tree_fault(&l->faults, at, "default of %s: %s", row->name, l->ctx.why);
	remember(l, field, at, false);
}

/* Every row of a section, from its map (NULL: not in the file) or its default. */
static void
fill(struct load *l, const struct tree_node *map, struct tree_mark at, const char *section,
    const struct conf_option *rows, void *base)
{
	if (map != NULL)
		check_keys(l, map, rows);
	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		const struct tree_node *n = find(map, r->name);

		if (n != NULL)
			set(l, r, n, base);
		else
			preset(l, r, at, section, base);
	}
}

bool
load_text(struct load *l, struct str text, const struct conf_option *rows, void *base)
{
	const struct tree_node *root = tree_parse(&l->scratch, text, &l->faults);

	if (root == NULL)
		return false;
	if (root->kind != TREE_MAP && !tree_is_null(root))
		tree_fault(
		    &l->faults, root->at, "the file is not a map; expected \"key: value\" lines");
	else
		fill(l, root->kind == TREE_MAP ? root : NULL, root->at, "", rows, base);
	return load_ok(l);
}

bool
load_file(struct load *l, const struct conf_option *rows, void *base)
{
	struct buf text;
	bool ok = false;

	buf_init(&text, TREE_TEXT_MAX + 1);
	if (fs_read(l->faults.path, &text) == 0)
		ok = load_text(l, buf_str(&text), rows, base);
	else if (errno == EFBIG)
		tree_fault(&l->faults, (struct tree_mark){ 0, 0 },
		    "larger than %d bytes; is it a configuration file?", TREE_TEXT_MAX);
	else
		tree_fault(
		    &l->faults, (struct tree_mark){ 0, 0 }, "cannot be read: %s", strerror(errno));
	buf_fini(&text);
	return ok;
}
