/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/caller.h"

#define PART_MIN 3
#define PART_MAX 20

/* Letters, digits, "-", and in versions "." (A_26183-01). */
static bool
is_part(struct str s, bool dots)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = str_lower(c);

		if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') && c != '-' &&
		    (c != '.' || !dots))
			return false;
	}
	return s.n >= PART_MIN && s.n <= PART_MAX;
}

enum caller_form
caller_read(const struct h1_head *req, struct str *value)
{
	struct str id, version;
	size_t found = 0;

	*value = STR_NONE;
	for (size_t i = 0; i < req->n_fields; i++) {
		if (!str_eq_ci(req->fields[i].name, STR("TI-User-Agent")))
			continue;
		*value = req->fields[i].value;
		found++;
	}
	if (found == 0)
		return CALLER_ABSENT;
	if (found == 1 && str_cut(*value, '/', &id, &version) && is_part(id, false) &&
	    is_part(version, true))
		return CALLER_VALID;
	*value = STR("invalid");
	return CALLER_INVALID;
}
