/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - composes libyaml's events to a tree.
 *
 * The events are used rather than libyaml's own documents because in those an alias can no longer
 * be told from its target.  A syntax error ends the reading, all other faults are collected.
 */
#include "lib/conf/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct reader {
	yaml_parser_t yaml;
	struct str text;
	struct arena *arena;
	struct tree_faults *faults;
	unsigned depth;
};

void
tree_fault(struct tree_faults *f, struct tree_mark at, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	bool fits;

	f->count++;
	if (f->count > TREE_FAULTS_MAX + 1)
		return;
	if (f->count == TREE_FAULTS_MAX + 1) {
		fits = buf_printf(f->out, "%s: more than %d faults; the others are not shown\n",
		    f->path, TREE_FAULTS_MAX);
		(void)fits; /* a full buffer shows fewer faults, the count stays right */
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at.line > 0)
		fits = buf_printf(f->out, "%s:%zu:%zu: %s\n", f->path, at.line, at.column, text);
	else
		fits = buf_printf(f->out, "%s: %s\n", f->path, text);
	(void)fits;
}

char *
tree_show(struct str s, char out[TREE_SHOW_MAX + 4])
{
	size_t n = s.n < TREE_SHOW_MAX ? s.n : TREE_SHOW_MAX, i;

	/* never cut inside a UTF-8 sequence */
	while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	for (i = 0; i < n; i++)
		out[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	memcpy(out + n, s.n > n ? "..." : "", s.n > n ? 4 : 1);
	return out;
}

bool
tree_is_null(const struct tree_node *n)
{
	return n->kind == TREE_SCALAR && n->plain &&
	       (n->text.n == 0 || str_eq(n->text, STR("~")) || str_eq_ci(n->text, STR("null")));
}

static struct tree_mark
mark_of(yaml_mark_t m)
{
	return (struct tree_mark){ m.line + 1, m.column + 1 };
}

/* The place of byte `at`, for faults that libyaml reports by offset only. */
static struct tree_mark
mark_at_byte(struct str text, size_t at)
{
	struct tree_mark m = { 1, 1 };

	for (size_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] == '\n') {
			m.line++;
			m.column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			m.column++;
		}
	}
	return m;
}

/* Tabs in an indentation: YAML forbids them and libyaml's words for it help nobody. */
static void
find_tabs(struct reader *r)
{
	struct str rest = r->text, line;

	for (size_t number = 1; rest.n > 0; number++) {
		str_cut(rest, '\n', &line, &rest);
		for (size_t i = 0; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++) {
			if (line.p[i] != '\t')
				continue;
			tree_fault(r->faults, (struct tree_mark){ number, i + 1 },
			    "tab in the indentation; indent with spaces");
			break;
		}
	}
}

static void
syntax_fault(struct reader *r)
{
	const yaml_parser_t *y = &r->yaml;
	const char *problem = y->problem != NULL ? y->problem : "unreadable";

	if (y->error == YAML_MEMORY_ERROR)
		tree_fault(r->faults, (struct tree_mark){ 0, 0 }, "out of memory");
	else if (y->error == YAML_READER_ERROR)
		tree_fault(r->faults, mark_at_byte(r->text, y->problem_offset),
		    "not UTF-8 text: %s; remove that byte", problem);
	else if (y->context != NULL)
		tree_fault(r->faults, mark_of(y->problem_mark),
		    "YAML syntax: %s %s that starts at line %zu; look at the indentation, colons "
		    "and quotes",
		    problem, y->context, y->context_mark.line + 1);
	else
		tree_fault(r->faults, mark_of(y->problem_mark),
		    "YAML syntax: %s; look at the indentation, colons and quotes", problem);
}

static bool
next_event(struct reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->yaml, e) == 1)
		return true;
	syntax_fault(r);
	return false;
}

static void
refuse_extras(
    struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		tree_fault(r->faults, mark_of(e->start_mark),
		    "anchors (&name) are not used here; write the value");
	if (tag != NULL)
		tree_fault(r->faults, mark_of(e->start_mark),
		    "tags (!type) are not used here; write the value only");
}

static struct tree_node *
node_new(struct reader *r, enum tree_kind kind, struct tree_mark at)
{
	struct tree_node *n = arena_alloc(r->arena, sizeof(*n));

	if (n == NULL) {
		tree_fault(r->faults, at, "out of memory");
		return NULL;
	}
	n->kind = kind;
	n->at = at;
	return n;
}

static void
append(struct tree_node *parent, struct tree_node *child)
{
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

static struct tree_node *
scalar(struct reader *r, const yaml_event_t *e)
{
	struct tree_node *n = node_new(r, TREE_SCALAR, mark_of(e->start_mark));
	struct str text = str_of((const char *)e->data.scalar.value, e->data.scalar.length);

	if (n == NULL)
		return NULL;
	refuse_extras(r, e, e->data.scalar.anchor, e->data.scalar.tag);
	if (memchr(text.p, '\0', text.n) != NULL) {
		tree_fault(r->faults, n->at, "a NUL byte in the value; remove it");
		text.n = strlen(text.p);
	}
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_dup(r->arena, text);
	if (n->text.p == NULL) {
		tree_fault(r->faults, n->at, "out of memory");
		return NULL;
	}
	return n;
}

static struct tree_node *node_of(struct reader *r, const yaml_event_t *e);

/* Reads the next node; *end when the parent's end came instead. */
static struct tree_node *
next_node(struct reader *r, bool *end)
{
	struct tree_node *n = NULL;
	yaml_event_t e;

	*end = false;
	if (!next_event(r, &e))
		return NULL;
	if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
		*end = true;
	else
		n = node_of(r, &e);
	yaml_event_delete(&e);
	return n;
}

static bool
children(struct reader *r, struct tree_node *parent)
{
	for (;;) {
		struct tree_node *key = NULL, *child;
		bool end;

		if (parent->kind == TREE_MAP) {
			key = next_node(r, &end);
			if (key == NULL)
				return end;
			if (key->kind != TREE_SCALAR) {
				tree_fault(r->faults, key->at, "a key must be a single word");
				return false;
			}
		}
		child = next_node(r, &end);
		if (child == NULL)
			return end;
		child->key = key;
		append(parent, child);
	}
}

static struct tree_node *
collection(struct reader *r, const yaml_event_t *e, enum tree_kind kind)
{
	struct tree_node *n = node_new(r, kind, mark_of(e->start_mark));
	bool done;

	if (n == NULL)
		return NULL;
	if (kind == TREE_MAP)
		refuse_extras(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	else
		refuse_extras(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	if (r->depth >= TREE_DEPTH_MAX) {
		tree_fault(
		    r->faults, n->at, "nested more than %d deep; no setting is", TREE_DEPTH_MAX);
		return NULL;
	}
	r->depth++;
	done = children(r, n);
	r->depth--;
	return done ? n : NULL;
}

static struct tree_node *
node_of(struct reader *r, const yaml_event_t *e)
{
	struct tree_node *n;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return collection(r, e, TREE_LIST);
	case YAML_MAPPING_START_EVENT:
		return collection(r, e, TREE_MAP);
	case YAML_ALIAS_EVENT:
		tree_fault(r->faults, mark_of(e->start_mark),
		    "aliases (*name) are not used here; write the value");
		n = node_new(r, TREE_SCALAR, mark_of(e->start_mark));
		if (n != NULL)
			n->text = STR("");
		return n;
	default:
		tree_fault(r->faults, mark_of(e->start_mark),
		    "YAML syntax: unexpected end of the document");
		return NULL;
	}
}

/* STREAM-START, DOCUMENT-START, the root, DOCUMENT-END, STREAM-END: no second document. */
static struct tree_node *
document(struct reader *r)
{
	struct tree_node *root = NULL;
	bool more = true;

	while (more) {
		yaml_event_t e;

		if (!next_event(r, &e))
			return NULL;
		if (e.type == YAML_STREAM_END_EVENT) {
			more = false;
		} else if (e.type == YAML_DOCUMENT_START_EVENT && root != NULL) {
			tree_fault(r->faults, mark_of(e.start_mark),
			    "a second document begins; one file holds one");
			more = false;
			root = NULL;
		} else if (e.type != YAML_STREAM_START_EVENT &&
			   e.type != YAML_DOCUMENT_START_EVENT &&
			   e.type != YAML_DOCUMENT_END_EVENT) {
			root = node_of(r, &e);
			more = root != NULL;
		}
		yaml_event_delete(&e);
	}
	return root;
}

struct tree_node *
tree_parse(struct arena *a, struct str text, struct tree_faults *f)
{
	struct reader r = { .text = text, .arena = a, .faults = f };
	unsigned before = f->count;
	struct tree_node *root;

	if (text.n > TREE_TEXT_MAX) {
		tree_fault(f, (struct tree_mark){ 0, 0 },
		    "larger than %d bytes; is it a configuration file?", TREE_TEXT_MAX);
		return NULL;
	}
	find_tabs(&r);
	if (f->count != before)
		return NULL;
	if (yaml_parser_initialize(&r.yaml) != 1) {
		tree_fault(f, (struct tree_mark){ 0, 0 }, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &r.yaml, (const unsigned char *)(text.n > 0 ? text.p : ""), text.n);
	root = document(&r);
	yaml_parser_delete(&r.yaml);
	if (root == NULL && f->count == before)
		root = node_new(&r, TREE_SCALAR, (struct tree_mark){ 1, 1 });
	if (root != NULL && root->kind == TREE_SCALAR && root->text.p == NULL)
		root->plain = true;
	return root;
}
