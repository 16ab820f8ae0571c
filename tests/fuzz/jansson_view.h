/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson_view - what jansson says about texts; a file of its own, since jansson.h and canonical.h
 * have names in common.
 */
#ifndef SCHLEUSE_FUZZ_JANSSON_VIEW_H
#define SCHLEUSE_FUZZ_JANSSON_VIEW_H

#include "lib/base/str.h"

enum jansson_view { JANSSON_REFUSES, JANSSON_CANNOT, JANSSON_ACCEPTS };

/* _CANNOT: it may be valid, but has a number beyond its types or a name with a NUL. */
enum jansson_view jansson_view(struct str text);
bool jansson_same(struct str a, struct str b); /* both are accepted and have the same value */

#endif
