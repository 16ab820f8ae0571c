/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/conf/print.h"

#include <stdio.h>

char *
print_number(enum conf_type type, uint64_t value, char out[PRINT_NUMBER_MAX])
{
	static const struct {
		const char *name;
		uint64_t factor;
	} sizes[] = { { "G", 1 << 30 }, { "M", 1 << 20 }, { "k", 1 << 10 }, { "", 1 } },
	  times[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
		  { "ms", 1 } };
	const char *unit = "";

	if (value != 0 && type == CONF_SIZE) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			if (value % sizes[i].factor == 0) {
				value /= sizes[i].factor;
				unit = sizes[i].name;
				break;
			}
	} else if (value != 0 && type == CONF_DURATION) {
		for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
			if (value % times[i].factor == 0) {
				value /= times[i].factor;
				unit = times[i].name;
				break;
			}
	}
	snprintf(out, PRINT_NUMBER_MAX, "%llu%s", (unsigned long long)value, unit);
	return out;
}

/* Text between double quotes; values hold no control characters. */
static bool
quoted(const char *s, struct buf *out)
{
	bool ok = buf_put(out, STR("\""));

	for (; s != NULL && *s != '\0' && ok; s++)
		ok = (*s != '"' && *s != '\\') || buf_put(out, STR("\\"))
			 ? buf_put(out, str_of(s, 1))
			 : false;
	return ok && buf_put(out, STR("\""));
}

static bool
print_words(const struct conf_option *row, uint64_t value, struct buf *out)
{
	bool flags = row->type == CONF_FLAGS, first = true, ok = !flags || buf_put(out, STR("["));

	for (const struct conf_word *w = row->words; w->name != NULL && ok; w++) {
		if (flags ? (value & w->value) == 0 : value != w->value)
			continue;
		ok = buf_printf(out, "%s%s", first ? "" : ", ", w->name);
		first = false;
	}
	return ok && (!flags || buf_put(out, STR("]")));
}

static bool
print_list(const struct conf_list *l, struct buf *out)
{
	bool ok = buf_put(out, STR("["));

	for (size_t i = 0; i < l->n && ok; i++)
		ok = (i == 0 || buf_put(out, STR(", "))) && quoted(l->v[i], out);
	return ok && buf_put(out, STR("]"));
}

static bool
print_rows(const struct conf_option *rows, const void *base, struct buf *out)
{
	bool ok = buf_put(out, STR("{"));

	for (const struct conf_option *r = rows; r->name != NULL && ok; r++)
		ok = buf_printf(out, "%s%s: ", r == rows ? "" : ", ", r->name) &&
		     conf_value_print(r, base, out);
	return ok && buf_put(out, STR("}"));
}

static const char *
items_of(const struct conf_option *row, const void *base, size_t *n)
{
	*n = *(const size_t *)(const void *)((const char *)base + row->count.at);
	return *(const char *const *)(const void *)((const char *)base + row->field.at);
}

static bool
print_pairs(const struct conf_option *row, const void *base, struct buf *out)
{
	size_t n;
	const char *item = items_of(row, base, &n);
	bool ok = buf_put(out, STR("{"));

	for (size_t i = 0; i < n && ok; i++, item += row->item_size)
		ok = (i == 0 || buf_put(out, STR(", "))) &&
		     conf_value_print(&row->rows[0], item, out) && buf_put(out, STR(": ")) &&
		     conf_value_print(&row->rows[1], item, out);
	return ok && buf_put(out, STR("}"));
}

static bool
print_items(const struct conf_option *row, const void *base, struct buf *out)
{
	size_t n;
	const char *item = items_of(row, base, &n);
	bool ok = buf_put(out, STR("["));

	for (size_t i = 0; i < n && ok; i++, item += row->item_size)
		ok = (i == 0 || buf_put(out, STR(", "))) && print_rows(row->rows, item, out);
	return ok && buf_put(out, STR("]"));
}

bool
conf_value_print(const struct conf_option *row, const void *base, struct buf *out)
{
	const void *field = (const char *)base + row->field.at;
	char number[PRINT_NUMBER_MAX];

	switch (row->type) {
	case CONF_BOOL:
		return buf_printf(
		    out, "%s", conf_fetch(field, row->field.size) != 0 ? "true" : "false");
	case CONF_SIZE:
	case CONF_COUNT:
	case CONF_DURATION:
		return buf_printf(
		    out, "%s", print_number(row->type, conf_fetch(field, row->field.size), number));
	case CONF_ENUM:
	case CONF_FLAGS:
		return print_words(row, conf_fetch(field, row->field.size), out);
	case CONF_STRING:
	case CONF_PATH:
		return quoted(*(char *const *)field, out);
	case CONF_ADDRESS:
		return quoted(((const struct conf_address *)field)->text, out);
	case CONF_STRINGS:
	case CONF_PATHS:
		return print_list(field, out);
	case CONF_MAP:
		return print_pairs(row, base, out);
	case CONF_SECTION:
		return print_rows(row->rows, field, out);
	case CONF_SEQUENCE:
		return print_items(row, base, out);
	default:
		return false;
	}
}

bool
conf_dump_values(const struct conf_option *rows, const void *base, struct buf *out)
{
	bool ok = true;

	for (const struct conf_option *r = rows; r->name != NULL && ok; r++)
		ok = buf_printf(out, "%s: ", r->name) && conf_value_print(r, base, out) &&
		     buf_put(out, STR("\n"));
	return ok;
}

static bool
dump_range(const struct conf_option *r, struct buf *out)
{
	char low[PRINT_NUMBER_MAX], high[PRINT_NUMBER_MAX];

	if (r->type == CONF_SIZE || r->type == CONF_COUNT || r->type == CONF_DURATION)
		return buf_printf(out, "%s to %s", print_number(r->type, r->min, low),
		    print_number(r->type, r->max, high));
	if (r->type == CONF_ENUM || r->type == CONF_FLAGS) {
		bool ok = true;

		for (const struct conf_word *w = r->words; w->name != NULL && ok; w++)
			ok = buf_printf(out, "%s%s", w == r->words ? "" : ", ", w->name);
		return ok;
	}
	return true;
}

static bool
dump(const struct conf_option *rows, const char *prefix, struct buf *out)
{
	static const char *const types[CONF_TYPES] = {
		[CONF_BOOL] = "bool",
		[CONF_SIZE] = "size",
		[CONF_COUNT] = "count",
		[CONF_DURATION] = "duration",
		[CONF_STRING] = "string",
		[CONF_PATH] = "path",
		[CONF_ADDRESS] = "address",
		[CONF_ENUM] = "word",
		[CONF_FLAGS] = "list of words",
		[CONF_STRINGS] = "list of strings",
		[CONF_PATHS] = "list of paths",
		[CONF_MAP] = "map",
		[CONF_SECTION] = "section",
		[CONF_SEQUENCE] = "list of sections",
	};
	char path[256];
	bool ok = true;

	for (const struct conf_option *r = rows; r->name != NULL && ok; r++) {
		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix != '\0' ? "." : "", r->name);
		ok = buf_printf(out, "%s\t%s\t%s\t", path, types[r->type],
		    r->preset != NULL         ? r->preset
		    : r->type == CONF_SECTION ? ""
					      : "required");
		ok = ok && dump_range(r, out);
		ok = ok && buf_printf(out, "\t%s\t%s\n",
			       r->change == CONF_RESTART ? "restart" : "reload", r->help);
		if (ok && (r->type == CONF_SECTION || r->type == CONF_SEQUENCE))
			ok = dump(r->rows, path, out);
	}
	return ok;
}

bool
conf_dump_options(const struct conf_option *rows, struct buf *out)
{
	return dump(rows, "", out);
}

static bool
differs(const struct conf_option *row, const void *old, const void *new)
{
	struct buf a, b;
	bool printed, same;

	buf_init(&a, SIZE_MAX / 2);
	buf_init(&b, SIZE_MAX / 2);
	printed = conf_value_print(row, old, &a) && conf_value_print(row, new, &b);
	same = printed && str_eq(buf_str(&a), buf_str(&b));
	buf_fini(&a);
	buf_fini(&b);
	return !same;
}

bool
conf_changed(const struct conf_option *rows, const void *old, const void *new,
    enum conf_change change, struct buf *what)
{
	bool any = false;

	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		if (r->type == CONF_SECTION) {
			any |= conf_changed(r->rows, (const char *)old + r->field.at,
			    (const char *)new + r->field.at, change, what);
		} else if (r->change == change && differs(r, old, new)) {
			bool shown =
			    buf_printf(what, "%s%s", buf_len(what) > 0 ? ", " : "", r->name);

			(void)shown; /* a full buffer names fewer settings */
			any = true;
		}
	}
	return any;
}
