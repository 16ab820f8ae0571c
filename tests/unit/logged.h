/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logged - what the log was told: standard error goes into a file of the test's.
 */
#ifndef SCHLEUSE_TESTS_LOGGED_H
#define SCHLEUSE_TESTS_LOGGED_H

#include <stddef.h>

void logged_begin(void);
size_t logged(const char *part); /* how often that was written since */

#endif
