/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/agent.h"

#include <stdio.h>

_Static_assert(sizeof(PACKAGE_VERSION) - 1 >= AGENT_VERSION_MIN &&
		   sizeof(PACKAGE_VERSION) - 1 <= AGENT_VERSION_MAX,
    "A_27783-3: the product version has 5 to 15 characters");

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
agent_id_ok(struct str id)
{
	for (size_t i = 0; i < id.n; i++) {
		char c = str_lower(id.p[i]);

		if (!is_digit(c) && c != '-' && (c < 'a' || c > 'z'))
			return false;
	}
	return id.n >= AGENT_ID_MIN && id.n <= AGENT_ID_MAX;
}

void
agent_field(const char *id, char out[AGENT_FIELD_MAX])
{
	out[0] = '\0';
	if (id != NULL)
		snprintf(out, AGENT_FIELD_MAX, "TI-User-Agent: %.*s/%s", AGENT_ID_MAX, id,
		    PACKAGE_VERSION);
}
