/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/claims.h"

#include <jansson.h>
#include <stdlib.h>

/* struct claims is never defined: it is the library's value under another name. */
static const json_t *
value(const struct claims *v)
{
	return (const json_t *)(const void *)v;
}

static struct claims *
read_as(struct str text, json_type type)
{
	json_t *v;

	if (text.n == 0 || text.n > CLAIMS_MAX)
		return NULL;
	v = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	if (v != NULL && json_typeof(v) != type) {
		json_decref(v);
		v = NULL;
	}
	return (struct claims *)(void *)v;
}

struct claims *
claims_read_object(struct str text)
{
	return read_as(text, JSON_OBJECT);
}

struct claims *
claims_read_array(struct str text)
{
	return read_as(text, JSON_ARRAY);
}

void
claims_free(struct claims *root)
{
	json_decref((json_t *)(void *)root);
}

const struct claims *
claims_get(const struct claims *object, const char *name)
{
	return (const struct claims *)(const void *)json_object_get(value(object), name);
}

size_t
claims_members(const struct claims *object)
{
	return json_object_size(value(object));
}

const struct claims *
claims_first(const struct claims *object)
{
	json_t *o = (json_t *)(uintptr_t)object; /* iterating changes nothing, but is declared to */

	return (const struct claims *)(void *)json_object_iter_value(json_object_iter(o));
}

size_t
claims_elements(const struct claims *array)
{
	return json_array_size(value(array));
}

const struct claims *
claims_at(const struct claims *array, size_t i)
{
	return (const struct claims *)(const void *)json_array_get(value(array), i);
}

bool
claims_is_array(const struct claims *v)
{
	return json_is_array(value(v));
}

bool
claims_text(const struct claims *v, struct str *out)
{
	if (!json_is_string(value(v)))
		return false;
	*out = str_of(json_string_value(value(v)), json_string_length(value(v)));
	return true;
}

bool
claims_number(const struct claims *v, double *out)
{
	if (!json_is_number(value(v)))
		return false;
	*out = json_number_value(value(v));
	return true;
}

struct str
claims_json(struct arena *a, const struct claims *v)
{
	char *text = json_dumps(value(v), JSON_COMPACT | JSON_ENCODE_ANY);
	struct str copy = STR_NONE;

	if (text != NULL)
		copy = arena_dup(a, str_z(text));
	free(text);
	return copy;
}
