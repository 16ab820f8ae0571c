/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option - from text to value.  The way back is print.c.
 */
#include "lib/conf/option.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/conf/print.h"
#include "lib/conf/tree.h"

/* Sets what is wrong with a value. */
static bool __attribute__((format(printf, 2, 3)))
wrong(struct conf_context *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return false;
}

void
conf_store(void *field, size_t size, uint64_t value)
{
	if (size == sizeof(bool))
		*(bool *)field = value != 0;
	else if (size == sizeof(uint32_t))
		memcpy(field, &(uint32_t){ (uint32_t)value }, sizeof(uint32_t));
	else if (size == sizeof(uint64_t))
		memcpy(field, &value, sizeof(value));
	else
		assert(false && "a field is a bool, an int, an enum or 64 bits wide");
}

uint64_t
conf_fetch(const void *field, size_t size)
{
	uint64_t wide = 0;
	uint32_t narrow = 0;

	if (size == sizeof(bool))
		return *(const bool *)field;
	if (size == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, field, sizeof(wide));
	return wide;
}

bool
conf_type_is_list(enum conf_type t)
{
	return t == CONF_FLAGS || t == CONF_STRINGS || t == CONF_PATHS;
}

enum conf_type
conf_element_type(enum conf_type list)
{
	return list == CONF_FLAGS ? CONF_ENUM : list == CONF_PATHS ? CONF_PATH : CONF_STRING;
}

const char *
conf_type_expected(enum conf_type t)
{
	static const char *const texts[CONF_TYPES] = {
		[CONF_BOOL] = "true or false",
		[CONF_SIZE] = "a size such as 512, 16k, 100M or 2G",
		[CONF_COUNT] = "a whole number",
		[CONF_DURATION] = "a duration such as 500ms, 10s, 5m, 12h or 30d",
		[CONF_STRING] = "a text",
		[CONF_PATH] = "a path",
		[CONF_ADDRESS] =
		    "an address such as 127.0.0.1:8008, [::1]:8008 or unix:/run/x.sock",
		[CONF_ENUM] = "a word",
		[CONF_FLAGS] = "a list such as [a, b]",
		[CONF_STRINGS] = "a list such as [a, b]",
		[CONF_PATHS] = "a list of paths such as [a.pem, b.pem]",
		[CONF_MAP] = "pairs such as {name: value}",
		[CONF_SECTION] = "settings indented below it",
		[CONF_SEQUENCE] = "a list of items, each beginning with \"- \"",
	};

	return texts[t];
}

static bool
in_range(struct conf_context *c, const struct conf_option *row, enum conf_type type, uint64_t v)
{
	char low[PRINT_NUMBER_MAX], high[PRINT_NUMBER_MAX];

	if (v >= row->min && v <= row->max)
		return true;
	return wrong(c, "out of range; allowed is %s to %s", print_number(type, row->min, low),
	    print_number(type, row->max, high));
}

static const struct unit {
	const char *name;
	uint64_t factor;
} size_units[] = { { "", 1 }, { "k", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 } },
  time_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	  { NULL, 0 } };

/* number unit; false when malformed or past 64 bits */
static bool
parse_units(struct str text, const struct unit *units, uint64_t *out)
{
	size_t digits = 0;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	for (; units->name != NULL; units++) {
		if (str_eq(str_from(text, digits), str_z(units->name)) &&
		    str_to_u64(str_of(text.p, digits), UINT64_MAX / units->factor, out)) {
			*out *= units->factor;
			return true;
		}
	}
	return false;
}

static bool
parse_number(enum conf_type type, struct str text, uint64_t *out)
{
	if (type == CONF_SIZE)
		return parse_units(text, size_units, out);
	if (type == CONF_DURATION)
		return (str_eq(text, STR("0")) && (*out = 0, true)) ||
		       parse_units(text, time_units, out);
	return str_to_u64(text, UINT64_MAX, out);
}

static bool
set_number(struct conf_context *c, const struct conf_option *row, enum conf_type type,
    struct str text, void *field)
{
	char shown[TREE_SHOW_MAX + 4];
	uint64_t v;

	if (!parse_number(type, text, &v))
		return wrong(c, "'%s' is not understood; expected %s", tree_show(text, shown),
		    conf_type_expected(type));
	if (!in_range(c, row, type, v))
		return false;
	conf_store(field, row->field.size, v);
	return true;
}

static bool
set_bool(struct conf_context *c, const struct conf_option *row, struct str text, void *field)
{
	char shown[TREE_SHOW_MAX + 4];
	bool yes = str_eq(text, STR("true"));

	if (!yes && !str_eq(text, STR("false")))
		return wrong(
		    c, "'%s' is not understood; expected true or false", tree_show(text, shown));
	conf_store(field, row->field.size, yes);
	return true;
}

/* Or-s the word's value, so that the words of a list add up; single values start from 0. */
static bool
set_word(struct conf_context *c, const struct conf_option *row, struct str text, void *field)
{
	char shown[TREE_SHOW_MAX + 4], known[256] = "";
	size_t n = 0;

	for (const struct conf_word *w = row->words; w->name != NULL; w++) {
		if (str_eq(text, str_z(w->name))) {
			conf_store(field, row->field.size,
			    w->value |
				(row->type == CONF_FLAGS ? conf_fetch(field, row->field.size) : 0));
			return true;
		}
		n += (size_t)snprintf(
		    known + n, sizeof(known) - n, "%s%s", n > 0 ? ", " : "", w->name);
	}
	return wrong(c, "'%s' is not known; expected one of %s", tree_show(text, shown), known);
}

static bool
set_text(struct conf_context *c, const struct conf_option *row, enum conf_type type,
    struct str text, void *field)
{
	bool element = conf_type_is_list(row->type);
	uint64_t min = element ? 1 : row->min, max = element || row->max == 0 ? 4096 : row->max;
	char *copy = NULL;

	if (text.n < min)
		return wrong(c, "is empty; expected %s", conf_type_expected(type));
	if (text.n > max)
		return wrong(c, "is longer than %llu bytes", (unsigned long long)max);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return wrong(
			    c, "has a control character in it; write it as one line of text");
	if (text.n > 0) {
		copy = type == CONF_PATH ? conf_path_join(c->arena, c->folder, text)
					 : arena_z(c->arena, text);
		if (copy == NULL)
			return wrong(c, "out of memory");
	}
	*(char **)field = copy;
	return true;
}

static bool
set_address(struct conf_context *c, const struct conf_option *row, struct str text, void *field)
{
	char shown[TREE_SHOW_MAX + 4];
	const char *why;

	if (text.n == 0 && row->min == 0) {
		*(struct conf_address *)field = (struct conf_address){ .text = NULL };
		return true;
	}
	why = conf_address_parse(c->arena, text, c->folder, field);
	if (why == NULL)
		return true;
	*(struct conf_address *)field = (struct conf_address){ .text = NULL }; /* not half of one */
	return wrong(c, "'%s': %s", tree_show(text, shown), why);
}

bool
conf_value_set(struct conf_context *c, const struct conf_option *row, enum conf_type type,
    struct str text, void *field)
{
	switch (type) {
	case CONF_BOOL:
		return set_bool(c, row, text, field);
	case CONF_SIZE:
	case CONF_COUNT:
	case CONF_DURATION:
		return set_number(c, row, type, text, field);
	case CONF_ENUM:
		return set_word(c, row, text, field);
	case CONF_STRING:
	case CONF_PATH:
		return set_text(c, row, type, text, field);
	case CONF_ADDRESS:
		return set_address(c, row, text, field);
	default:
		return wrong(c, "expected %s", conf_type_expected(type));
	}
}
