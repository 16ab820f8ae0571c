/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_fake - in the place of courier and loop: what a provider asks of them is noted, the test
 * plays the answers and the time.
 */
#ifndef SCHLEUSE_TESTS_COURIER_FAKE_H
#define SCHLEUSE_TESTS_COURIER_FAKE_H

#include <stdbool.h>

#include "lib/http/courier.h"
#include "pushgw/providers/provider.h"

#define POSTS_MAX 64

struct post {
	char url[512];
	char fields[4096]; /* each ended by a line feed */
	char *body;        /* NUL-terminated */
	size_t body_n;
	clock_ms timeout;
	void (*fn)(void *arg, const struct courier_answer *a);
	void *arg;
	bool open; /* neither answered nor cancelled */
};

struct courier { /* of the last provider that was opened */
	struct courier_config cfg;
	bool identity;
	unsigned renewed;
};

extern struct fake {
	struct post posts[POSTS_MAX];
	size_t n_posts, n_couriers;
	struct courier *courier;
	clock_ms now;
	bool refuse; /* the next request: out of memory */
} fake;

void fake_begin(void);
void fake_end(void);   /* nothing is open any more */
void fake_tasks(void); /* the end of a turn */

void fake_answer(size_t i, int status, const char *body);
void fake_answer_after(size_t i, int status, const char *body, const char *retry_after);
void fake_answer_too_long(size_t i, int status);
void fake_fail(size_t i, enum err err);
bool fake_has(size_t i, const char *field); /* the whole line */
/* The value of the field that begins so; ended by its line feed. */
const char *fake_field(size_t i, const char *name);
/* Whether these bytes were sent anywhere. */
bool fake_sent(const char *text);

/* --- an attempt --- */

struct told {
	unsigned calls;
	struct attempt_result r;
};
void on_told(void *told, const struct attempt_result *r);

#endif
