/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - where to listen or to connect: "127.0.0.1:8008", "[::1]:8448", "name:port",
 * "unix:/path".
 *
 * Pure: nothing is resolved.  Memory comes from the caller's arena.
 */
#ifndef SCHLEUSE_CONF_ADDRESS_H
#define SCHLEUSE_CONF_ADDRESS_H

#include "lib/base/arena.h"

struct conf_address {
	char *text;      /* as written */
	char *unix_path; /* NULL: TCP */
	char *host;      /* TCP: IP literal or name, without brackets; NULL for a unix socket */
	uint16_t port;
};

/* Parses s into *out; a relative path of a unix socket is taken relative to `folder` (NULL: left as
 * it is). NULL when fine, else what is wrong as a constant text. */
const char *conf_address_parse(struct arena *a, struct str s, const char *folder,
    struct conf_address *out) __attribute__((warn_unused_result));

bool conf_address_is_ip(const struct conf_address *ad); /* the host is an IP literal */
bool conf_address_is_loopback(
    const struct conf_address *ad); /* unix socket, 127.0.0.0/8 or ::1; a name never is */

/* "http://host:port", "http://localhost" for a unix socket; returns out. */
char *conf_address_url(const struct conf_address *ad, char *out, size_t size);

/* folder "/" path in the arena; absolute paths are copied.  NULL: out of memory. */
char *conf_path_join(struct arena *a, const char *folder, struct str path)
    __attribute__((warn_unused_result));

#endif
