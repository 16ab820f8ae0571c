/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_text - values of a YAML tree read with Python's eyes, and YAML with comments written.
 */
#include <stdarg.h>
#include <stdio.h>

#include "pushgw/import_int.h"

#define WIDTH 100
#define NOTE_MAX 800

/* --- writing --- */

void
import_put(struct import *im, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text) || !buf_put(im->out, str_of(text, (size_t)n)))
		im->full = true;
}

void
import_text(struct import *im, const char *key, struct str value)
{
	import_put(im, "%s\"", key);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c < 0x20 || c == 0x7f)
			import_put(
			    im, "\\x%02x", c); /* refused when it is loaded, with its place */
		else
			import_put(im, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
	}
	import_put(im, "\"\n");
}

/* A text as comment lines of some width. */
static void
put_comment(struct import *im, struct str text)
{
	size_t room = WIDTH - strlen(im->comment) - 2, n;

	while (text.n > 0) {
		n = text.n;
		if (n > room)
			for (n = room; n > 0 && text.p[n] != ' '; n--)
				;
		if (n == 0) /* a word longer than a line */
			n = text.n;
		import_put(im, "%s# " STR_FMT "\n", im->comment, (int)n, text.p);
		text = str_trim(str_from(text, n));
	}
}

void
import_note(struct import *im, const struct tree_node *at, const char *fmt, ...)
{
	struct tree_mark mark = { 0, 0 };
	char text[NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at != NULL)
		mark = at->key != NULL ? at->key->at : at->at;
	put_comment(im, str_z(text));
	if (mark.line > 0)
		im->full |= !buf_printf(im->notes.out, "%s:%zu:%zu: %s\n", im->notes.path,
		    mark.line, mark.column, text);
	else
		im->full |= !buf_printf(im->notes.out, "%s: %s\n", im->notes.path, text);
}

/* --- reading --- */

const struct tree_node *
import_last(const struct tree_node *map, struct str name)
{
	const struct tree_node *last = NULL;

	if (map == NULL || map->kind != TREE_MAP)
		return NULL;
	for (const struct tree_node *c = map->first; c != NULL; c = c->next)
		if (str_eq(c->key->text, name))
			last = c;
	return last;
}

const struct tree_node *
import_find(const struct tree_node *map, const char *name)
{
	const struct tree_node *n = import_last(map, str_z(name));

	return n != NULL && !tree_is_null(n) ? n : NULL;
}

bool
import_scalar(struct import *im, const struct tree_node *n, struct str *out)
{
	*out = STR_NONE;
	if (n == NULL)
		return false;
	*out = n->text;
	if (n->kind == TREE_SCALAR)
		return true;
	import_note(
	    im, n, "%s: not a single value, left out", n->key != NULL ? n->key->text.p : "");
	return false;
}

bool
import_number(struct import *im, const struct tree_node *n, uint64_t max, uint64_t *out)
{
	struct str text;

	if (!import_scalar(im, n, &text))
		return false;
	if (str_to_u64(text, max, out))
		return true;
	import_note(im, n, "%s: not a number up to %llu, left out", n->key->text.p,
	    (unsigned long long)max);
	return false;
}

bool
import_is_true(struct import *im, const struct tree_node *n, bool preset)
{
	static const char *const words[] = { "false", "no", "off", "true", "yes", "on" };
	struct str text;

	if (n == NULL || !import_scalar(im, n, &text))
		return preset;
	for (size_t i = 0; i < 6; i++)
		if (str_eq_ci(text, str_z(words[i])))
			return i >= 3;
	import_note(im, n, "%s: neither true nor false, taken as %s", n->key->text.p,
	    preset ? "true" : "false");
	return preset;
}

void
import_check_keys(
    struct import *im, const struct tree_node *map, const char *const *names, const char *where)
{
	for (const struct tree_node *c = map->first; c != NULL; c = c->next) {
		const char *const *name = names;
		char shown[TREE_SHOW_MAX + 4];

		while (*name != NULL && !str_eq(str_z(*name), c->key->text))
			name++;
		if (*name == NULL)
			import_note(im, c, "%s: no setting of %s that is known, left out",
			    tree_show(c->key->text, shown), where);
		else if (import_last(map, c->key->text) != c)
			import_note(
			    im, c, "%s: appears twice; the last one counts, as for Sygnal", *name);
	}
}
