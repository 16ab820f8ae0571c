/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/config.h"

int
main(void)
{
	return 0;
}
