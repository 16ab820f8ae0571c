/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/notify/quota.h"

#include "lib/base/hash.h"
#include "lib/net/address.h"

clock_ms
quota_take(
    struct rates *r, const struct notify_conf *conf, const char *peer, size_t n, clock_ms now)
{
	/* A notification of as many devices as are allowed must fit. */
	const struct rate rate = { conf->rate,
		conf->rate > conf->devices_max ? conf->rate : conf->devices_max };
	struct address a;
	clock_ms wait = 0;
	uint64_t name;

	if (conf->rate == 0 || !address_parse(str_z(peer), 0, &a))
		return 0;
	name = hash_str(address_party(&a));
	while (n-- > 0 && wait == 0)
		wait = rates_take(r, name, &rate, now);
	return wait;
}
