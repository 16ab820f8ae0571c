/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushconf - configurations of schleuse-pushgw for unit tests: a folder with all kinds of keys, and
 * a minimal file that a test adds to.
 *
 * The folder is made by pushconf_start() and removed by pushconf_finish(), for use in a test suite.
 */
#ifndef SCHLEUSE_TESTS_PUSHCONF_H
#define SCHLEUSE_TESTS_PUSHCONF_H

#include "pushgw/config.h"

/* The folder has: server.pem, server.key, ca.pem; p256.key, p384.key, rsa.key in PEM,
 * open.key (the first, readable for others); token.pub and
 * rsa.pub; vapid.number and vapid.der, which are p256.key in base64url; push.pem (certificate and
 * key in one), push.key (of it), other.key; fcm.json; secret ("user:password"), open (the same,
 * readable for others), newline. */
void pushconf_start(void);
void pushconf_finish(void);

const char *pushconf_path(const char *file); /* valid until the next call */
void pushconf_write(const char *file, const char *text, unsigned mode);
/* A self-signed certificate with its key, whose user ID is that. */
void pushconf_write_named(const char *file, const char *user_id);

/* Lines 1 to 9 are the least a file needs, with one app whose provider is fcm; then `lines`.  A
 * section in `lines` stands for the one of the same name in them. */
struct pushgw_conf *pushconf_load(const char *lines);
struct pushgw_conf *pushconf_good(const char *lines);
struct pushgw_conf *pushconf_load_file(void); /* p.yaml of the folder; it must be good */
/* Exactly one fault, "line:column: ..." that begins so. */
void pushconf_refuses(const char *lines, const char *fault);
/* What the last load found. */
struct str pushconf_faults(void);

#endif
