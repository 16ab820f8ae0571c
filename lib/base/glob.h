/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - patterns with "*" for any characters, also none, and "?" for exactly one.
 *
 * Nothing else is special, and a pattern is for the whole text.  A character is one of UTF-8.
 * Takes no more than pattern times text steps, whatever they are.  Pure.
 */
#ifndef SCHLEUSE_BASE_GLOB_H
#define SCHLEUSE_BASE_GLOB_H

#include "lib/base/str.h"

bool glob_matches(struct str pattern, struct str text);

#endif
