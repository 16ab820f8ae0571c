/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/retry.h"

#include <sodium.h>

clock_ms
retry_wait(const struct delivery_conf *conf, unsigned attempts, clock_ms not_before)
{
	clock_ms most = conf->retry_min, spread;

	while (attempts-- > 0 && most < conf->retry_max)
		most *= 2;
	if (most > conf->retry_max)
		most = conf->retry_max;
	spread = randombytes_uniform((uint32_t)(most / 2) + 1);
	/* Many may have been told the same time: they are spread as well. */
	return most - spread > not_before ? most - spread : not_before + spread;
}
