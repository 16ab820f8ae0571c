/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_target - a request target in its parts: decoded path segments, decoded query parameters.
 *
 * Strict: what two servers could read differently is refused, not repaired (RFC 3986; ERR_PATH,
 * ERR_QUERY).  A parameter that would carry a secret or a person's name is refused whatever it
 * holds, because URLs end up in logs of others (CP-1.2.1-6).  Pure; memory from the request's
 * arena.
 */
#ifndef SCHLEUSE_REGSVC_API_TARGET_H
#define SCHLEUSE_REGSVC_API_TARGET_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define TARGET_SEGMENTS_MAX 8
#define TARGET_PARAMS_MAX 8

struct target_param {
	struct str name, value;
};

struct target {
	struct str segments[TARGET_SEGMENTS_MAX];
	size_t n_segments;
	struct target_param params[TARGET_PARAMS_MAX];
	size_t n_params;
};

/* ERR_PATH, ERR_QUERY, ERR_URL_SECRET, ERR_UNRECOGNIZED (more segments than any path here has),
 * ERR_MEMORY. */
enum err target_parse(struct arena *a, struct str text, struct target *out) MUST_CHECK;

/* Whether the path has the form of a template, such as "/v1/{subscription}/changes"; "{…}" is any
 * one segment. */
bool target_is(const struct target *t, const char *path);

/* Whether each parameter is one of `names` (words with "," between them). */
bool target_params_known(const struct target *t, const char *names);

/* The value of a parameter; false: it is not there. */
bool target_param(const struct target *t, struct str name, struct str *value);

#endif
