/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge - what the tests of the rules share: rows of cases, and a request to judge.
 *
 * A file of cases has one case per line: the expected verdict (the name of an err), then the inputs, all
 * separated by tabs.  "-" is an input that is absent, "#" begins a comment.
 */
#ifndef SCHLEUSE_TESTS_JUDGE_H
#define SCHLEUSE_TESTS_JUDGE_H

#include "proxy/rules/rules.h"

#define US "us.example"
#define THEM "them.example"
#define NOW_MS INT64_C(1700000000000)

#define CASE_FIELDS 8

/* Replaces each name in a text by its value; the longest name first. */
struct macro {
	const char *name, *value;
};
char *expand(const char *text, const struct macro *macros, size_t n); /* for free() */

/* Judges every case of tests/unit/cases/<rule>.txt; `verdict` returns a name, which is compared.  Fields that
 * are "-" or missing are "". */
void judge_cases(const char *rule, const char *(*verdict)(const char *const *field));

/* One request.  Everything of it lives in the arena. */
struct request {
	struct arena arena;
	struct h1_head head;
	struct segments path;
	struct service_conf service;
	struct federation_conf federation;
	struct judged j;
};

/* `fields`: header fields, separated by " | "; `body`: JSON.  The result is that of route and body; a path that
 * is refused is ERR_PATH and the like. */
enum err request_init(struct request *r, const char *method, const char *target, const char *fields,
    const char *body);
void request_fini(struct request *r);

#endif
