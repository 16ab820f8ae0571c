/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/confdocs.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/fsutil.h"

static bool
contains(struct str text, struct str part)
{
	return memmem(text.p, text.n, part.p, part.n) != NULL;
}

/* name TAB type TAB default TAB range TAB class TAB help */
static void
entry_of(struct str row, char *out, size_t size)
{
	struct str name, type, preset, range, change, help;

	str_cut(row, '\t', &name, &row);
	str_cut(row, '\t', &type, &row);
	str_cut(row, '\t', &preset, &row);
	str_cut(row, '\t', &range, &row);
	str_cut(row, '\t', &change, &help);
	cr_assert(help.n > 0, STR_FMT " has no help", STR_ARG(name));
	if (str_eq(type, STR("section"))) {
		snprintf(out, size, "\n.It Cm " STR_FMT "\nSection.\n", STR_ARG(name));
		return;
	}
	if (preset.n == 0)
		preset = STR("empty");
	snprintf(out, size,
	    "\n.It Cm " STR_FMT "\nType " STR_FMT "; %s" STR_FMT "; " STR_FMT "%s" STR_FMT ".\n",
	    STR_ARG(name), STR_ARG(type), str_eq(preset, STR("required")) ? "" : "default ",
	    STR_ARG(preset), STR_ARG(range), range.n > 0 ? "; " : "", STR_ARG(change));
}

static void
every_setting_is_there(struct str dump, struct str manual)
{
	struct str row;
	char entry[1024];

	while (dump.n > 0) {
		str_cut(dump, '\n', &row, &dump);
		entry_of(row, entry, sizeof(entry));
		cr_assert(contains(manual, str_z(entry)), "not in the manual:%s", entry);
	}
}

static void
nothing_else_is_there(struct str dump, struct str manual)
{
	struct str line;
	char name[256];

	while (manual.n > 0) {
		str_cut(manual, '\n', &line, &manual);
		if (!str_has_prefix(line, STR(".It Cm ")))
			continue;
		line = str_from(line, 7);
		snprintf(name, sizeof(name), STR_FMT "\t", STR_ARG(line));
		cr_assert(contains(dump, str_z(name)), "no such setting: %s", name);
	}
}

void
confdocs_manual(const struct conf_option *rows, const char *path)
{
	struct buf dump, manual;

	buf_init(&dump, 1 << 20);
	buf_init(&manual, 1 << 20);
	cr_assert(conf_dump_options(rows, &dump));
	cr_assert(fs_read(path, &manual) == 0, "%s cannot be read", path);
	every_setting_is_there(buf_str(&dump), buf_str(&manual));
	nothing_else_is_there(buf_str(&dump), buf_str(&manual));
	buf_fini(&dump);
	buf_fini(&manual);
}

void
confdocs_read(struct confdocs_file *f, const char *path, const struct conf_option *rows, void *conf)
{
	arena_init(&f->values, 1 << 20);
	buf_init(&f->errors, 1 << 16);
	load_init(&f->load, path, &f->values, &f->errors);
	cr_assert(load_file(&f->load, rows, conf), STR_FMT, STR_ARG(buf_str(&f->errors)));
}

void
confdocs_done(struct confdocs_file *f)
{
	load_fini(&f->load);
	arena_fini(&f->values);
	buf_fini(&f->errors);
}

/* The items of a sequence, or one struct. */
struct items {
	const char *first;
	size_t n, size;
};

static const char *
item_with(const struct load *l, const struct items *items, size_t field)
{
	for (size_t i = 0; i < items->n; i++)
		if (load_given(l, items->first + i * items->size + field))
			return items->first + i * items->size;
	return NULL;
}

/* Each setting in one of the items at least: items may be of several kinds. */
static void
all_given(const struct load *l, const struct conf_option *rows, const struct items *items)
{
	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		const char *with;

		if (r->type == CONF_SECTION) {
			all_given(l, r->rows,
			    &(struct items){ items->first + r->field.at, items->n, items->size });
			continue;
		}
		with = item_with(l, items, r->field.at);
		cr_assert(with != NULL, "'%s' is not in the sample", r->name);
		if (r->type == CONF_SEQUENCE)
			all_given(l, r->rows,
			    &(struct items){
				*(const char *const *)(const void *)(with + r->field.at),
				*(const size_t *)(const void *)(with + r->count.at),
				r->item_size });
	}
}

void
confdocs_sample(const struct conf_option *rows, const char *sample, void *conf)
{
	struct confdocs_file f;

	confdocs_read(&f, sample, rows, conf);
	all_given(&f.load, rows, &(struct items){ conf, 1, 0 });
	confdocs_done(&f);
}

void
confdocs_defaults(
    const struct conf_option *rows, const void *full, const void *minimal, const char *except)
{
	struct buf a, b;

	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		char name[64];

		snprintf(name, sizeof(name), " %s ", r->name);
		if (r->type == CONF_SECTION && r->preset == NULL && strstr(except, name) == NULL) {
			confdocs_defaults(r->rows, (const char *)full + r->field.at,
			    (const char *)minimal + r->field.at, except);
			continue;
		}
		if (r->preset == NULL || strstr(except, name) != NULL)
			continue;
		buf_init(&a, 1 << 16);
		buf_init(&b, 1 << 16);
		cr_assert(conf_value_print(r, full, &a) && conf_value_print(r, minimal, &b));
		cr_assert(str_eq(buf_str(&a), buf_str(&b)),
		    "%s: sample " STR_FMT ", default " STR_FMT, r->name, STR_ARG(buf_str(&a)),
		    STR_ARG(buf_str(&b)));
		buf_fini(&a);
		buf_fini(&b);
	}
}
