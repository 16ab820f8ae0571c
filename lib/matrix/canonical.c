/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canonical - one pass that validates and tells whether the text already is canonical.
 *
 * An object is free of duplicates if its names ascend strictly; so the pass needs one name per open
 * container and no memory.  Only a text that must be rewritten is looked at again
 * (canonical_rewrite).
 */
#include "lib/matrix/canonical.h"

#include "lib/base/jsontext.h"
#include "lib/matrix/canonical_rewrite.h"

/* An open container. */
struct level {
	struct str name; /* the last member name, without quotes; p == NULL before the first */
	bool escaped;    /* that name contains an escape */
	bool object;
};

struct check {
	const char *p, *end;
	bool canonical; /* up to p */
	unsigned depth;
	struct level levels[CANONICAL_MAX_DEPTH];
};

/* The next byte; 0, which is valid nowhere outside of strings, at the end. */
static char
peek(const struct check *c)
{
	return c->p < c->end ? *c->p : '\0';
}

static char
peek_past_blanks(struct check *c)
{
	char ch = peek(c);

	while (jsontext_blank(ch)) {
		c->canonical = false;
		c->p++;
		ch = peek(c);
	}
	return ch;
}

/* c->p is behind the opening quote; *raw becomes the literal without quotes. */
static bool
check_string(struct check *c, struct str *raw, bool *escaped)
{
	const char *end = jsontext_string(c->p, c->end, escaped);

	if (end == NULL)
		return false;
	*raw = str_of(c->p, (size_t)(end - c->p));
	c->p = end + 1;
	if (*escaped && c->canonical)
		c->canonical = jsontext_is_canonical(*raw);
	return true;
}

static bool
check_number(struct check *c)
{
	const char *end = jsontext_number(c->p, c->end);

	if (end == NULL)
		return false;
	if (str_eq(str_of(c->p, (size_t)(end - c->p)), STR("-0")))
		c->canonical = false;
	c->p = end;
	return true;
}

static bool
check_literal(struct check *c, struct str literal)
{
	if (!str_has_prefix(str_of(c->p, (size_t)(c->end - c->p)), literal))
		return false;
	c->p += literal.n;
	return true;
}

static bool
check_scalar(struct check *c)
{
	struct str raw;
	bool escaped;

	switch (peek(c)) {
	case '"':
		c->p++;
		return check_string(c, &raw, &escaped);
	case 't':
		return check_literal(c, STR("true"));
	case 'f':
		return check_literal(c, STR("false"));
	case 'n':
		return check_literal(c, STR("null"));
	default:
		return check_number(c);
	}
}

/* A member name with its colon, and whether it follows the one before. */
static enum err
check_name(struct check *c)
{
	struct level *level = &c->levels[c->depth - 1];
	struct str name;
	bool escaped;
	int order;

	if (peek_past_blanks(c) != '"')
		return ERR_JSON_SYNTAX;
	c->p++;
	if (!check_string(c, &name, &escaped) || peek_past_blanks(c) != ':')
		return ERR_JSON_SYNTAX;
	c->p++;
	if (level->name.p != NULL) {
		order = escaped || level->escaped ? jsontext_cmp(level->name, name)
						  : str_cmp(level->name, name);
		if (order == 0)
			return ERR_JSON_DUPLICATE;
		if (order > 0)
			c->canonical = false;
	}
	level->name = name;
	level->escaped = escaped;
	return OK;
}

/* Enters a container; *empty: it was closed at once. */
static enum err
check_open(struct check *c, bool *empty)
{
	bool object = *c->p == '{';

	if (c->depth == CANONICAL_MAX_DEPTH)
		return ERR_JSON_DEPTH;
	c->p++;
	*empty = peek_past_blanks(c) == (object ? '}' : ']');
	if (*empty) {
		c->p++;
		return OK;
	}
	c->levels[c->depth++] = (struct level){ .object = object };
	return object ? check_name(c) : OK;
}

/* Behind a value: the ends of containers, then another value (*more) or the end of the text. */
static enum err
check_after_value(struct check *c, bool *more)
{
	struct level *level;
	char ch;

	for (;;) {
		ch = peek_past_blanks(c);
		if (c->depth == 0) {
			*more = false;
			return c->p == c->end ? OK : ERR_JSON_SYNTAX;
		}
		level = &c->levels[c->depth - 1];
		if (ch == ',') {
			c->p++;
			*more = true;
			return level->object ? check_name(c) : OK;
		}
		if (ch != (level->object ? '}' : ']'))
			return ERR_JSON_SYNTAX;
		c->p++;
		c->depth--;
	}
}

static enum err
check_text(struct check *c)
{
	bool more = true, closed;
	enum err err;
	char ch;

	while (more) {
		ch = peek_past_blanks(c);
		if (ch == '{' || ch == '[') {
			err = check_open(c, &closed);
			if (err != OK)
				return err;
			if (!closed)
				continue;
		} else if (!check_scalar(c)) {
			return ERR_JSON_SYNTAX;
		}
		err = check_after_value(c, &more);
		if (err != OK)
			return err;
	}
	return OK;
}

enum err
canonical_form(struct arena *a, struct str in, struct str *out)
{
	struct check c;
	enum err err;

	if (in.n == 0)
		return ERR_JSON_SYNTAX;
	c.p = in.p;
	c.end = in.p + in.n;
	c.canonical = true;
	c.depth = 0; /* levels are set when they are entered */
	err = check_text(&c);
	if (err != OK)
		return err;
	if (!c.canonical)
		return canonical_rewrite(a, in, out);
	*out = in;
	return OK;
}
