/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/judge.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/matrix/canonical.h"

/* --- rows --- */

char *
expand(const char *text, const struct macro *macros, size_t n)
{
	struct buf out;
	char *all;

	buf_init(&out, 16 << 20);
	while (*text != '\0') {
		const struct macro *best = NULL;

		for (size_t i = 0; i < n; i++)
			if (strncmp(text, macros[i].name, strlen(macros[i].name)) == 0 &&
			    (best == NULL || strlen(macros[i].name) > strlen(best->name)))
				best = &macros[i];
		cr_assert(buf_put(&out, best != NULL ? str_z(best->value) : str_of(text, 1)));
		text += best != NULL ? strlen(best->name) : 1;
	}
	all = strndup(buf_len(&out) > 0 ? buf_str(&out).p : "", buf_len(&out));
	buf_fini(&out);
	return all;
}

static size_t
split(char *line, char **field)
{
	size_t n = 0;

	for (char *rest = line, *one; (one = strsep(&rest, "\t")) != NULL;) {
		if (one[0] == '\0')
			continue; /* several tabs, for alignment */
		cr_assert_lt(n, CASE_FIELDS, "too many fields: %s", line);
		field[n++] = strcmp(one, "-") == 0 ? strchr(one, '\0') : one;
	}
	return n;
}

void
judge_cases(const char *rule, const char *(*verdict)(const char *const *field))
{
	char path[512], *line = NULL;
	size_t room = 0, cases = 0, wrong = 0, number = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/unit/cases/%s.txt", TEST_SRCDIR, rule);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s", path);
	while (getline(&line, &room, f) > 0) {
		char *field[CASE_FIELDS];
		const char *got;

		number++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		for (size_t n = split(line, field); n < CASE_FIELDS; n++)
			field[n] = strchr(line, '\0');
		cr_assert_gt(strlen(field[0]), 0, "%s:%zu", path, number);
		cases++;
		got = verdict((const char *const *)field + 1);
		if (strcmp(got, field[0]) == 0)
			continue;
		wrong++;
		fprintf(stderr, "%s.txt:%zu: %s, expected %s\n", rule, number, got, field[0]);
	}
	free(line);
	fclose(f);
	cr_assert_gt(cases, 0);
	cr_assert_eq(wrong, 0, "%zu of %zu cases of %s", wrong, cases, rule);
}

/* --- a request --- */

static struct str
head_text(struct request *r, const char *method, const char *target, const char *fields)
{
	struct buf b;
	struct str text;

	buf_init(&b, 1 << 20);
	cr_assert(buf_printf(&b, "%s %s HTTP/1.1\r\nHost: " US "\r\n", method, target));
	while (fields[0] != '\0') {
		const char *end = strstr(fields, " | ");
		size_t n = end != NULL ? (size_t)(end - fields) : strlen(fields);

		cr_assert(buf_printf(&b, "%.*s\r\n", (int)n, fields));
		fields += end != NULL ? n + 3 : n;
	}
	cr_assert(buf_put(&b, STR("\r\n")));
	text = arena_dup(&r->arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

enum err
request_init(struct request *r, const char *method, const char *target, const char *fields, const char *body)
{
	static const struct h1_limits limits = { 65536, 16384, 100 };
	enum err err;

	cr_assert(routes_init());
	memset(r, 0, sizeof(*r));
	arena_init(&r->arena, 4 << 20);
	r->service = (struct service_conf){
		.server_name = (char *)(uintptr_t)US,
		.passport_max_age = 86400000,
		.passport_max_future = 60000,
	};
	r->j = (struct judged){
		.req = &r->head,
		.path = &r->path,
		.arena = &r->arena,
		.service = &r->service,
		.federation = &r->federation,
		.now_ms = NOW_MS,
		.origin = STR(THEM),
		.destination = STR(US),
		.signed_for = STR(US),
		.body = arena_dup(&r->arena, str_z(body)),
	};
	err = h1_parse_request(&r->arena, head_text(r, method, target, fields), &limits, &r->head);
	if (err == OK)
		err = route_split(&r->arena, r->head.target, &r->path);
	if (err == OK)
		err = route_find(&r->path, r->head.method_text, &r->j.route);
	if (err == OK && r->j.body.n > 0)
		err = canonical_form(&r->arena, r->j.body, &r->j.content);
	return err;
}

void
request_fini(struct request *r)
{
	arena_fini(&r->arena);
	routes_fini();
}
