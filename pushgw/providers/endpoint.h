/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint - URLs of push services that devices name: which of them we go to.
 *
 * Only https://, no user information, nothing that readers of URLs understand differently.  What
 * the names lead to is looked at when connecting (courier).  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_ENDPOINT_H
#define SCHLEUSE_PUSHGW_ENDPOINT_H

#include "lib/conf/option.h"

#define ENDPOINT_MAX 2048 /* bytes of the URL */
#define ENDPOINT_HOST_MAX 253

struct endpoint {
	char host[ENDPOINT_HOST_MAX + 1];        /* lower case; IPv6 without brackets */
	char origin[ENDPOINT_HOST_MAX + 1 + 16]; /* RFC 6454: no port if it is 443 */
};

bool endpoint_read(struct endpoint *e, struct str url) __attribute__((warn_unused_result));

/* globs of hosts in lower case; none: any host. */
bool endpoint_allowed(const struct endpoint *e, const struct conf_list *globs);

#endif
