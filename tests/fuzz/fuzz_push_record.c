/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_push_record - a push as bytes, damaged in any way.
 *
 * What is read is exactly what would be written for it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "pushgw/queue/push_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct push p;
	char *again;

	if (!push_record_read_part(in, &p))
		return 0;
	if (push_record_size(&p) != in.n)
		abort();
	again = malloc(in.n);
	if (again == NULL || push_record_write(&p, again) != again + in.n ||
	    !str_eq(str_of(again, in.n), in))
		abort();
	free(again);
	return 0;
}
