/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - where in the journal a push is: the record of that number in that segment.
 */
#ifndef SCHLEUSE_PUSHGW_PLACE_H
#define SCHLEUSE_PUSHGW_PLACE_H

#include <stdint.h>

struct place {
	uint32_t segment; /* 0: nowhere */
	uint32_t index;
};

#endif
