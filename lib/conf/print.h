/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print - values and rows as text: numbers in their units, the dump of all options, what changed.
 */
#ifndef SCHLEUSE_CONF_PRINT_H
#define SCHLEUSE_CONF_PRINT_H

#include "lib/conf/option.h"

#define PRINT_NUMBER_MAX 32

/* A size, count or duration in the largest unit that is exact; returns out. */
char *print_number(enum conf_type type, uint64_t value, char out[PRINT_NUMBER_MAX]);

#endif
