/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a federation list; what is accepted must be JSON to the other reader, too. */
#include <stdlib.h>

#include "lib/federation/fedlist.h"
#include "lib/matrix/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_json(struct str text)
{
	struct arena a;
	struct str form;

	arena_init(&a, 16 << 20);
	if (canonical_form(&a, text, &form) == ERR_JSON_SYNTAX)
		abort();
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fedlist_limits limits = { .max_entries = 1000 };
	struct str text = { (const char *)data, size };
	struct fedlist *l;

	if (fedlist_parse(text, &limits, &l) != OK)
		return 0;
	must_be_json(text);
	if (fedlist_count(l) > limits.max_entries || fedlist_version(l) < 0)
		abort();
	(void)fedlist_has(l, STR("example.org"), FEDLIST_PORTS_EXACT);
	(void)fedlist_is_insurance(l, STR("example.org:8448"), FEDLIST_PORTS_ANY);
	(void)fedlist_has(l, text, FEDLIST_PORTS_ANY);
	snapshot_drop((struct snapshot *)l);
	return 0;
}
