/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_parts - what all providers do in the same way.
 */
#include "lib/http/courier.h"
#include "pushgw/providers/provider.h"

struct courier *
provider_courier(const struct provider_env *env, size_t connections_max, size_t streams_max,
    const struct fetch_identity *identity)
{
	const struct courier_config cfg = { .resolver = env->resolver,
		.anchors = env->anchors,
		.private_addresses = env->lookups->private_addresses,
		.proxy = env->proxy,
		.identity = identity,
		.connections_max = connections_max,
		.streams_max = streams_max,
		.connect_timeout = env->delivery->connect_timeout };

	return courier_new(env->loop, &cfg);
}

clock_ms
provider_ttl(clock_ms most, int64_t expires)
{
	int64_t left = expires - clock_wall_ms();

	if (left <= 0)
		return 0;
	return (clock_ms)left < most ? (clock_ms)left : most;
}
