/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, manual and sample files say the same. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/conf/load.h"
#include "proxy/config.h"

static struct buf dump, manual;

static void
start(void)
{
	buf_init(&dump, 1 << 20);
	buf_init(&manual, 1 << 20);
	cr_assert(conf_dump_options(proxy_conf_rows, &dump));
	cr_assert(fs_read(TEST_SRCDIR "/man/schleuse-proxy.yaml.5", &manual) == 0);
}

static void
finish(void)
{
	buf_fini(&dump);
	buf_fini(&manual);
}

TestSuite(config_docs, .init = start, .fini = finish);

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

Test(config_docs, manual_documents_every_setting_as_it_is)
{
	struct str rest = buf_str(&dump), row;
	char entry[1024];

	while (rest.n > 0) {
		str_cut(rest, '\n', &row, &rest);
		entry_of(row, entry, sizeof(entry));
		cr_assert(contains(buf_str(&manual), str_z(entry)), "not in the manual:%s", entry);
	}
}

Test(config_docs, manual_documents_nothing_else)
{
	struct str rest = buf_str(&manual), line, row_start;
	char name[256];

	while (rest.n > 0) {
		str_cut(rest, '\n', &line, &rest);
		if (!str_has_prefix(line, STR(".It Cm ")))
			continue;
		row_start = str_from(line, 7);
		snprintf(name, sizeof(name), STR_FMT "\t", STR_ARG(row_start));
		cr_assert(contains(buf_str(&dump), str_z(name)), "no such setting: %s", name);
	}
}

static struct arena values;
static struct buf errors;

static void
read_sample(struct load *l, const char *path, struct proxy_conf *c)
{
	*c = (struct proxy_conf){ .path = NULL };
	load_init(l, path, &values, &errors);
	cr_assert(load_file(l, proxy_conf_rows, c), STR_FMT, STR_ARG(buf_str(&errors)));
}

static void
all_given(const struct load *l, const struct conf_option *rows, const void *fields)
{
	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		const char *field = (const char *)fields + r->field.at;

		if (r->type == CONF_SECTION) {
			all_given(l, r->rows, field);
			continue;
		}
		cr_assert(load_given(l, field), "'%s' is not in the sample", r->name);
		if (r->type == CONF_SEQUENCE)
			all_given(l, r->rows, *(void *const *)(const void *)field);
	}
}

Test(config_docs, sample_shows_every_setting)
{
	struct proxy_conf c;
	struct load l;

	arena_init(&values, 1 << 20);
	buf_init(&errors, 1 << 16);
	read_sample(&l, TEST_SRCDIR "/etc/proxy.yaml", &c);
	all_given(&l, proxy_conf_rows, &c);
	load_fini(&l);
	arena_fini(&values);
	buf_fini(&errors);
}

/* Where a setting has a default that a sample can show, it shows it. */
static void
all_default(
    const struct conf_option *rows, const void *full, const void *minimal, const char *except)
{
	struct buf a, b;

	for (const struct conf_option *r = rows; r->name != NULL; r++) {
		char name[64];

		snprintf(name, sizeof(name), " %s ", r->name);
		if (r->type == CONF_SECTION && r->preset == NULL && strstr(except, name) == NULL) {
			all_default(r->rows, (const char *)full + r->field.at,
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

Test(config_docs, sample_shows_the_defaults)
{
	struct proxy_conf full, minimal;
	struct load l, m;

	arena_init(&values, 1 << 20);
	buf_init(&errors, 1 << 16);
	read_sample(&l, TEST_SRCDIR "/etc/proxy.yaml", &full);
	read_sample(&m, TEST_SRCDIR "/etc/proxy-minimal.yaml", &minimal);
	all_default(proxy_conf_rows, &full, &minimal, " admin ");
	for (const struct conf_option *r = proxy_conf_rows; r->name != NULL; r++) {
		if (strcmp(r->name, "federations") == 0)
			all_default(r->rows, full.federations, minimal.federations, " passport ");
		else if (strcmp(r->name, "services") == 0)
			all_default(
			    r->rows, full.services, minimal.services,
			    " hosts default org_admins upstreams paths support contacts ");
	}
	load_fini(&l);
	load_fini(&m);
	arena_fini(&values);
	buf_fini(&errors);
}
