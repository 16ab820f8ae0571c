/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/delay.h"

#include <sodium.h>

clock_ms
delay_draw(clock_ms max)
{
	return max == 0 ? 0 : randombytes_uniform((uint32_t)max + 1);
}
