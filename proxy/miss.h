/* SPDX-License-Identifier: Apache-2.0 */
/*
 * miss - what is asked about at the registration service because it is not known here: the key of a
 * question, for workers and for misses.  Pure.
 */
#ifndef SCHLEUSE_PROXY_MISS_H
#define SCHLEUSE_PROXY_MISS_H

#include "proxy/config.h"

enum miss { MISS_DOMAIN, MISS_X5U };
#define MISS_KINDS 2

#define MISS_NAME_MAX 2048
#define MISS_KEY_MAX (MISS_NAME_MAX + 80)

/* The key under which a name is asked about; n == 0: the name is too long for a question. */
struct str miss_key(
    char out[MISS_KEY_MAX], enum miss kind, const struct federation_conf *f, struct str name);
/* Whether a federation can be asked at all. */
bool miss_can_help(enum miss kind, const struct federation_conf *f);
/* Takes a key apart; *name is a slice of it. */
void miss_parse(struct str key, enum miss *kind, struct str *federation, struct str *name);

#endif
