/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shortage - memory that runs out when the test says so.  A program that uses it is linked with
 * --wrap for malloc() and its like, which puts these functions in their place wherever our
 * own code calls them.
 */
#ifndef SCHLEUSE_TESTS_SHORTAGE_H
#define SCHLEUSE_TESTS_SHORTAGE_H

#include <stdbool.h>

void shortage_begin(unsigned after); /* so many succeed, then one fails, then all succeed again */
bool shortage_end(void);             /* whether one has failed */

#endif
