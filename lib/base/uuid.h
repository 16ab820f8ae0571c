/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid - random UUIDs of version 4 (RFC 9562 5.4) as text.
 */
#ifndef SCHLEUSE_BASE_UUID_H
#define SCHLEUSE_BASE_UUID_H

#include "lib/base/str.h"

#define UUID_TEXT 36

void uuid_new(char out[UUID_TEXT + 1]);

/* The lower-case form of a version 4 UUID in `text`, letters of either case; false: another
 * version or variant, or malformed. */
bool uuid_parse(struct str text, char out[UUID_TEXT + 1]) __attribute__((warn_unused_result));

#endif
