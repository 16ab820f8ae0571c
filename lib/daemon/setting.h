/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting - what the settings of several daemons have in common: the files they name, URLs.
 *
 * Used while a configuration is checked.  Each function adds a fault at the setting to blame; a
 * NULL path is a setting that is not there, or one that has its fault already.
 */
#ifndef SCHLEUSE_DAEMON_SETTING_H
#define SCHLEUSE_DAEMON_SETTING_H

#include <openssl/x509.h>

#include "lib/base/err.h"
#include "lib/conf/load.h"

bool setting_is_https(const char *url);     /* with a host, without user and password */
bool setting_is_responder(const char *url); /* the same, or http: OCSP answers are signed */
bool setting_is_host(const char *s);        /* a DNS name or an IP literal, without port */

/* The file's bytes in the arena; false: no file is named, or a fault was added.  The room is
 * reserved at once, so no copy of a key stays behind in memory that was outgrown; the one in use is
 * wiped. */
bool setting_file(struct load *l, const char *what, char *const *path, size_t max, struct str *out);
/* A file that others can read must not hold a secret. */
void setting_private(struct load *l, bool test_mode, const char *what, char *const *path);
/* A secret of one line: an editor's line break at its end is none of it. */
void setting_secret(
    struct load *l, bool test_mode, const char *what, char *const *path, struct str *out);
void setting_wipe(struct str secret); /* of setting_file() or setting_secret() */

/* Without a setting the admin listener is a socket beside the state: reachable for those who may
 * read that.  Other machines must not reach it. */
void setting_admin(struct load *l, struct conf_address *admin, const char *state_dir);

/* The trust anchors in PEM files; NULL after adding a fault, or where there are no files. */
X509_STORE *setting_anchors(struct load *l, struct conf_list *files);
/* A CA file only has to be there and readable: it is given to libcurl and OpenSSL by name. */
void setting_ca_file(struct load *l, const char *what, char *const *path);
/* The fault of a PEM file which lib/jose could not use; errno is still that of the failure. */
void setting_pem_fault(struct load *l, const char *what, char *const *path, enum err why);

#endif
