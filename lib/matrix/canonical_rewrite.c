/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canonical_rewrite - two passes over text known to be valid, in O(n log n) whatever its nesting.
 *
 * The first pass notes every object member of the whole text in order of appearance; members of one
 * object are chained.  The second writes: at an object it sorts the chain and jumps in the text
 * from value to value.  The members inside of a value follow its own, so their index is known after
 * a jump.  Canonical text is never longer than what it was made from.
 */
#include "lib/matrix/canonical_rewrite.h"

#include <stdlib.h>

#include "lib/base/jsontext.h"
#include "lib/matrix/canonical.h"

#define NONE UINT32_MAX

struct member {
	uint32_t name; /* offsets in the text: behind the opening quote */
	uint32_t name_n : 31;
	uint32_t escaped : 1;
	uint32_t value;
	uint32_t next; /* index of the object's next member, or NONE */
};

struct rewrite {
	struct str in;
	const char *p; /* the reading position; what is left of the text ends at in.p + in.n */
	struct member *members;
	size_t count, room;
	uint32_t *order; /* the members of the open objects, sorted object by object */
	size_t ordered;
	uint32_t at; /* the first member at or behind p */
	char *out;   /* the writing position */
};

static struct member *
add_member(struct rewrite *w)
{
	if (w->count == w->room) {
		size_t room = w->room > 0 ? w->room * 2 : 64;
		struct member *m = realloc(w->members, room * sizeof(*m));

		if (m == NULL)
			return NULL;
		w->members = m;
		w->room = room;
	}
	return &w->members[w->count++];
}

/* A string at w->p, a member name if a colon follows.  `last`: the object's last member so far. */
static bool
note_string(struct rewrite *w, uint32_t *last)
{
	const char *end = w->in.p + w->in.n, *name = w->p + 1;
	struct member *m;
	size_t n;

	w->p = jsontext_string_end(name, end);
	n = (size_t)(w->p - name);
	w->p = jsontext_skip_blanks(w->p + 1, end);
	if (w->p == end || *w->p != ':')
		return true;
	w->p = jsontext_skip_blanks(w->p + 1, end);
	m = add_member(w);
	if (m == NULL)
		return false;
	*m = (struct member){
		.name = (uint32_t)(name - w->in.p),
		.name_n = (uint32_t)n & 0x7fffffff,
		.escaped = memchr(name, '\\', n) != NULL,
		.value = (uint32_t)(w->p - w->in.p),
		.next = NONE,
	};
	if (*last != NONE)
		w->members[*last].next = (uint32_t)(w->count - 1);
	*last = (uint32_t)(w->count - 1);
	return true;
}

static bool
note_members(struct rewrite *w)
{
	const char *end = w->in.p + w->in.n;
	uint32_t last[CANONICAL_MAX_DEPTH + 1];
	unsigned depth = 0;

	w->p = w->in.p;
	while (w->p < end) {
		switch (*w->p) {
		case '{':
		case '[':
			last[++depth] = NONE;
			w->p++;
			break;
		case '}':
		case ']':
			depth--;
			w->p++;
			break;
		case '"':
			if (depth == 0)
				return true; /* the text is this string */
			if (!note_string(w, &last[depth]))
				return false;
			break;
		default:
			w->p++;
		}
	}
	return true;
}

static struct str
name_of(const struct rewrite *w, const struct member *m)
{
	return str_of(w->in.p + m->name, m->name_n);
}

static int
by_name(const void *x, const void *y, void *arg)
{
	const struct rewrite *w = arg;
	const struct member *a = &w->members[*(const uint32_t *)x];
	const struct member *b = &w->members[*(const uint32_t *)y];

	return a->escaped || b->escaped ? jsontext_cmp(name_of(w, a), name_of(w, b))
					: str_cmp(name_of(w, a), name_of(w, b));
}

static void
write_string(struct rewrite *w, struct str raw)
{
	*w->out++ = '"';
	w->out = jsontext_respell(w->out, raw);
	*w->out++ = '"';
}

static void
write_scalar(struct rewrite *w)
{
	const char *start = w->p, *end = w->in.p + w->in.n;
	size_t n;

	if (*start == '"') {
		w->p = jsontext_string_end(start + 1, end);
		write_string(w, str_of(start + 1, (size_t)(w->p - start - 1)));
		w->p++;
		return;
	}
	while (w->p < end && *w->p != ',' && *w->p != '}' && *w->p != ']' && !jsontext_blank(*w->p))
		w->p++;
	n = (size_t)(w->p - start);
	if (n == 2 && start[0] == '-' && start[1] == '0') {
		start++;
		n--;
	}
	w->out = str_put(w->out, str_of(start, n));
}

/* Puts the object's members on top of w->order; false: two have the same name. */
static bool
sort_members(struct rewrite *w, uint32_t *last)
{
	uint32_t *order = w->order + w->ordered;
	size_t n = 0;
	bool sorted = true;

	for (uint32_t m = w->at; m != NONE; m = w->members[m].next) {
		order[n++] = m;
		*last = m;
		sorted = sorted && (n < 2 || by_name(&order[n - 2], &order[n - 1], w) < 0);
	}
	w->ordered += n;
	if (sorted)
		return true;
	qsort_r(order, n, sizeof(*order), by_name, w);
	for (size_t i = 1; i < n; i++)
		if (by_name(&order[i - 1], &order[i], w) == 0)
			return false;
	return true;
}

static enum err write_value(struct rewrite *w);

/* Writes the members order[from ...]; the reading position ends behind the last one of the text. */
static enum err
write_members(struct rewrite *w, size_t from, uint32_t last)
{
	const char *p = NULL;
	uint32_t at = 0;
	size_t to = w->ordered;

	for (size_t i = from; i < to; i++) {
		const struct member *m = &w->members[w->order[i]];
		enum err err;

		if (i > from)
			*w->out++ = ',';
		write_string(w, name_of(w, m));
		*w->out++ = ':';
		w->p = w->in.p + m->value;
		w->at = w->order[i] + 1;
		err = write_value(w);
		if (err != OK)
			return err;
		if (w->order[i] == last) {
			p = w->p;
			at = w->at;
		}
	}
	w->p = p;
	w->at = at;
	return OK;
}

static enum err
write_object(struct rewrite *w)
{
	const char *end = w->in.p + w->in.n;
	size_t from = w->ordered;
	uint32_t last = NONE;
	enum err err;

	*w->out++ = '{';
	w->p = jsontext_skip_blanks(w->p + 1, end);
	if (*w->p != '}') {
		if (!sort_members(w, &last))
			return ERR_JSON_DUPLICATE;
		err = write_members(w, from, last);
		if (err != OK)
			return err;
		w->ordered = from;
		w->p = jsontext_skip_blanks(w->p, end);
	}
	w->p++;
	*w->out++ = '}';
	return OK;
}

static enum err
write_array(struct rewrite *w)
{
	const char *end = w->in.p + w->in.n;
	enum err err;

	*w->out++ = '[';
	w->p = jsontext_skip_blanks(w->p + 1, end);
	while (*w->p != ']') {
		if (*w->p == ',') {
			*w->out++ = ',';
			w->p = jsontext_skip_blanks(w->p + 1, end);
		}
		err = write_value(w);
		if (err != OK)
			return err;
		w->p = jsontext_skip_blanks(w->p, end);
	}
	w->p++;
	*w->out++ = ']';
	return OK;
}

/* Recurses as deep as the text is nested, that is CANONICAL_MAX_DEPTH at most. */
static enum err
write_value(struct rewrite *w)
{
	if (*w->p == '{')
		return write_object(w);
	if (*w->p == '[')
		return write_array(w);
	write_scalar(w);
	return OK;
}

static enum err
write_text(struct rewrite *w, struct arena *a, struct str *out)
{
	char *start = arena_bytes(a, w->in.n);
	enum err err;

	if (start == NULL)
		return ERR_MEMORY;
	w->out = start;
	w->p = jsontext_skip_blanks(w->in.p, w->in.p + w->in.n);
	err = write_value(w);
	*out = str_of(start, (size_t)(w->out - start));
	return err;
}

enum err
canonical_rewrite(struct arena *a, struct str in, struct str *out)
{
	struct rewrite w = { .in = in };
	enum err err = ERR_MEMORY;

	if (in.n > INT32_MAX) /* offsets have 32 bits, lengths 31 */
		return ERR_MEMORY;
	if (note_members(&w)) {
		w.order = malloc(w.count * sizeof(*w.order) + 1);
		if (w.order != NULL)
			err = write_text(&w, a, out);
	}
	free(w.order);
	free(w.members);
	return err;
}
