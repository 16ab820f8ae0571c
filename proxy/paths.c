/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/paths.h"

struct paths {                  /* a node of the trie; the root stands for all of it */
	struct str literal;     /* what leads here from the parent */
	struct paths *children; /* literal ones, a list */
	struct paths *sibling;
	struct paths *param;    /* "{x}" */
	struct paths_row *rows; /* that end here */
	struct paths_row *wild; /* that end with "**" below here */
};

/* --- building --- */

struct paths *
paths_new(struct arena *a)
{
	return arena_alloc(a, sizeof(struct paths));
}

static struct paths *
child(struct paths *n, struct arena *a, struct str literal)
{
	struct paths *c;

	for (c = n->children; c != NULL; c = c->sibling)
		if (str_eq(c->literal, literal))
			return c;
	c = paths_new(a);
	if (c == NULL)
		return NULL;
	c->literal = literal;
	c->sibling = n->children;
	n->children = c;
	return c;
}

static struct paths *
param(struct paths *n, struct arena *a)
{
	if (n->param == NULL)
		n->param = paths_new(a);
	return n->param;
}

static bool
is_param(struct str seg)
{
	return seg.n > 2 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}';
}

static const char *
segment_fault(struct str seg, bool last)
{
	struct str inside = is_param(seg) ? str_of(seg.p + 1, seg.n - 2) : seg;

	if (str_eq(seg, STR("**")))
		return last ? NULL : "\"**\" can only be the last segment";
	if (seg.n == 0)
		return last ? NULL : "an empty segment is never forwarded";
	if (str_eq(seg, STR(".")) || str_eq(seg, STR("..")))
		return "dot segments are never forwarded";
	for (size_t i = 0; i < inside.n; i++)
		if (strchr("{}*", inside.p[i]) != NULL)
			return "{x} and ** stand for whole segments; write /{x}/ or end with /**";
	return NULL;
}

static const char *
pattern_fault(struct str pattern)
{
	struct str rest = str_from(pattern, 1), seg;
	size_t n = 0;
	const char *why = NULL;

	for (bool more = true; more && why == NULL; n++) {
		more = str_cut(rest, '/', &seg, &rest);
		why = n == ROUTE_SEGMENTS_MAX ? "too many segments; at most 32 are forwarded"
					      : segment_fault(seg, !more);
	}
	return why;
}

/* No two rows of one path are for the same method; one for any method comes last. */
static const char *
add_row(struct paths_row **rows, struct paths_row *row)
{
	for (struct paths_row *r = *rows; r != NULL; r = r->next)
		if ((r->methods & row->methods) != 0 || r->methods == row->methods)
			return "this path and method are mapped already";
	while (*rows != NULL && row->methods == 0)
		rows = &(*rows)->next;
	row->next = *rows;
	*rows = row;
	return NULL;
}

/* Walks and grows the trie; *wild: the pattern ends with "**". */
static struct paths *
place(struct paths *n, struct arena *a, struct str pattern, size_t *room, bool *wild)
{
	struct str rest = str_from(pattern, 1), seg;
	bool more = true;

	*wild = false;
	for (size_t i = 0; more && n != NULL; i++) {
		more = str_cut(rest, '/', &seg, &rest);
		*wild = str_eq(seg, STR("**"));
		if (*wild)
			break;
		if (str_eq(seg, STR("{room}")))
			*room = i;
		n = is_param(seg) ? param(n, a) : child(n, a, seg);
	}
	return n;
}

const char *
paths_add(struct paths *p, struct arena *a, struct str pattern, unsigned methods, size_t upstream)
{
	struct paths_row *row = arena_alloc(a, sizeof(*row));
	const char *why;
	bool wild;

	if (pattern.n == 0 || pattern.p[0] != '/')
		return "a path begins with /";
	for (size_t i = 0; i < pattern.n; i++)
		if (strchr("%?#\\ ", pattern.p[i]) != NULL)
			return "write it decoded and without a query: none of % ? # \\ and blanks";
	why = pattern_fault(pattern);
	if (why != NULL)
		return why;
	if (row == NULL)
		return "out of memory";
	*row = (struct paths_row){ methods, upstream, PATHS_NO_ROOM, NULL };
	p = place(p, a, pattern, &row->room, &wild);
	if (p == NULL)
		return "out of memory";
	return add_row(wild ? &p->wild : &p->rows, row);
}

/* --- finding --- */

struct match {
	const struct segments *path;
	unsigned method; /* its bit, and that of GET for HEAD */
	const struct paths_row *end;
	const struct paths_row *wild; /* the deepest one passed */
	size_t wild_depth;
};

static const struct paths_row *
row_for(const struct paths_row *row, unsigned method)
{
	while (row != NULL && row->methods != 0 && (row->methods & method) == 0)
		row = row->next;
	return row;
}

static void
walk(struct match *m, const struct paths *n, size_t i)
{
	const struct segments *path = m->path;
	const struct paths_row *wild = i < path->n ? row_for(n->wild, m->method) : NULL;

	if (wild != NULL && (m->wild == NULL || i > m->wild_depth)) {
		m->wild = wild;
		m->wild_depth = i;
	}
	if (i == path->n) {
		m->end = row_for(n->rows, m->method);
		return;
	}
	/* as it was sent: the homeserver does not take an escaped literal for the plain one */
	for (const struct paths *c = n->children; c != NULL && m->end == NULL; c = c->sibling)
		if (str_eq(c->literal, path->raw[i]))
			walk(m, c, i + 1);
	if (n->param != NULL && m->end == NULL)
		walk(m, n->param, i + 1);
}

const struct paths_row *
paths_find(const struct paths *p, const struct segments *path, enum h1_method method)
{
	struct match m = { .path = path, .method = 1u << method };

	if (method == H1_HEAD)
		m.method |= 1u << H1_GET;
	walk(&m, p, 0);
	return m.end != NULL ? m.end : m.wild;
}
