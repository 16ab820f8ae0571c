/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - the steps between the rows and a configuration in force.  Only pushgw/config*.c
 * need it.
 *
 * Each step adds its faults to the load and goes on, so that an operator sees all of them at once;
 * fields may be NULL where an earlier step found a fault.
 */
#ifndef SCHLEUSE_PUSHGW_CONFIG_CHECK_H
#define SCHLEUSE_PUSHGW_CONFIG_CHECK_H

#include "lib/conf/load.h"
#include "pushgw/config.h"
#include "pushgw/push.h"

extern const struct conf_option config_app_rows[]; /* of struct app_conf */
/* of its sections */
extern const struct conf_option config_apns_rows[], config_fcm_rows[], config_webpush_rows[],
    config_unifiedpush_rows[];

/* What one setting demands of another; implied values filled in.  No I/O. */
void config_check(struct load *l, struct pushgw_conf *c);
void config_apps(struct load *l, struct pushgw_conf *c);

/* Reads and judges what the configuration names: certificates, keys, passwords. */
void config_files(struct load *l, struct pushgw_conf *c);
void config_files_fini(struct pushgw_conf *c); /* wipes secrets, drops what is not in the arena */
void config_app_files(struct load *l, bool test_mode, struct app_conf *app);
void config_app_files_fini(struct app_conf *app);

/* The key of a service account (JSON of the Google Cloud console), into *fcm. */
void config_account(struct load *l, bool test_mode, struct fcm_conf *fcm);
/* Letters, digits and `others`. */
bool config_made_of(const char *s, const char *others);
/* A private key in PEM without a passphrase, or NULL. */
EVP_PKEY *config_parse_key(struct str pem) MUST_CHECK;

#endif
