/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_push_answer - answers of APNs and FCM: two bytes are the status, the rest is the body.
 *
 * Whatever comes, the verdict is one of them, a pushkey is dead only by the statuses that say so,
 * and the reason, which is logged, is not text of the answer.
 */
#include <stdint.h>
#include <stdlib.h>

#include "pushgw/providers/apns_answer.h"
#include "pushgw/providers/fcm_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct attempt_result *r, int gone, struct str body)
{
	if (r->verdict >= VERDICTS || (r->verdict == VERDICT_DEAD && r->status != gone) ||
	    (r->verdict == VERDICT_DELIVERED && r->status != 200) || r->reason == NULL ||
	    (r->reason >= body.p && r->reason < body.p + body.n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attempt_result r = { 0 };
	struct str body;

	if (size < 2)
		return 0;
	body = str_of((const char *)data + 2, size - 2);
	r.status = 100 + (data[0] << 8 | data[1]) % 500;
	(void)apns_judge(body, 1700000000, &r);
	check(&r, 410, body);
	(void)fcm_judge(body, &r);
	check(&r, 404, body);
	return 0;
}
