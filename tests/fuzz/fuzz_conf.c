/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration loader with the proxy's rows: any bytes give values or faults. */
#include <stdlib.h>

#include "lib/conf/load.h"
#include "proxy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct proxy_conf conf = { .path = NULL };
	struct buf errors, text;
	struct arena values;
	struct load l;
	bool good;

	arena_init(&values, 64 << 20);
	buf_init(&errors, 1 << 20);
	buf_init(&text, 16 << 20);
	load_init(&l, "fuzz.yaml", &values, &errors);
	good = load_text(&l, str_of((const char *)data, n), proxy_conf_rows, &conf);
	if (good != (buf_len(&errors) == 0))
		abort(); /* a refusal always says why */
	if (good && !conf_dump_values(proxy_conf_rows, &conf, &text))
		abort();
	load_fini(&l);
	buf_fini(&text);
	buf_fini(&errors);
	arena_fini(&values);
	return 0;
}
