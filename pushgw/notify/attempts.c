/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/notify/attempts.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "pushgw/series.h"

#define RIGHT_MAX 1024 /* one gives way to another of the same place */

struct attempts {
	struct guard *guard;
	uint64_t right[RIGHT_MAX]; /* hashes of what was let in; 0: none */
	char fields[64];
};

static const struct guard_series series = { .failed = S_AUTH_FAILED, .slowed = S_AUTH_SLOWED };

struct attempts *
attempts_new(const struct guard_conf *conf)
{
	struct attempts *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->guard = guard_new(conf, &series);
	if (a->guard != NULL)
		return a;
	free(a);
	return NULL;
}

void
attempts_adopt(struct attempts *a, const struct guard_conf *conf)
{
	guard_adopt(a->guard, conf);
}

void
attempts_free(struct attempts *a)
{
	if (a == NULL)
		return;
	guard_free(a->guard);
	free(a);
}

/* Of who asks and what it shows; 0: it shows no password. */
static uint64_t
name_of(const struct exchange *ex)
{
	const struct h1_field *f = h1_only(&ex->req, H1_F_AUTHORIZATION);
	struct str scheme, rest;

	if (f == NULL)
		return 0;
	str_cut(f->value, ' ', &scheme, &rest);
	if (!str_eq_ci(scheme, STR("Basic")))
		return 0;
	return (hash_str(str_z(ex->peer)) * UINT64_C(0x9e3779b97f4a7c15) ^ hash_str(f->value)) | 1;
}

static enum err
slow_down(struct attempts *a, clock_ms wait, struct str *fields)
{
	int n = snprintf(a->fields, sizeof(a->fields), "Retry-After: %llu\r\n",
	    (unsigned long long)(wait + 999) / 1000);

	*fields = str_of(a->fields, (size_t)n);
	return ERR_AUTH_SLOWED;
}

enum err
attempts_check(struct attempts *a, const struct clients_conf *conf, struct exchange *ex,
    clock_ms now, struct str *fields)
{
	uint64_t name = conf->n_basic > 0 ? name_of(ex) : 0;
	uint64_t *right = &a->right[name >> 1 & (RIGHT_MAX - 1)];
	bool known = *right == name;
	clock_ms wait = name == 0 || known ? 0 : guard_enter(a->guard, ex->peer, now);
	enum err err;

	if (wait > 0)
		return slow_down(a, wait, fields);
	err = clients_check(conf, ex, fields);
	if (name == 0)
		return err;
	if (err == ERR_AUTH_REFUSED)
		(void)guard_failed(a->guard, ex->peer, STR_NONE, now);
	else if (!known)
		guard_leave(a->guard, ex->peer);
	if (err == OK)
		*right = name;
	else if (known)
		*right = 0; /* the password was changed */
	return err;
}
