/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_conf - the settings of the sections vzd and list.  Rows: regsvc/config_vzd.c.
 */
#ifndef SCHLEUSE_REGSVC_VZD_CONF_H
#define SCHLEUSE_REGSVC_VZD_CONF_H

#include <openssl/x509.h>

#include "lib/base/clock.h"
#include "lib/conf/load.h"
#include "lib/daemon/trust_section.h"

enum vzd_sig_alg { VZD_ALG_ANY, VZD_ALG_BP256R1, VZD_ALG_ES256 };
enum vzd_client_auth { VZD_AUTH_BASIC, VZD_AUTH_FORM };

struct vzd_conf {
	char *services_url; /* NULL: no VZD is asked */
	char *token_url;
	char *exchange_url; /* NULL: one step */
	char *client_id;
	enum vzd_client_auth client_auth;
	char *secret_file, *secret_credential, *secret_uri; /* one of them */
	char *pkcs11_module, *pkcs11_pin_file;
	char *scope;
	char *ca_file;
	clock_ms timeout, token_margin;
	uint64_t answer_max;
	char *list_path;
	struct conf_list localization; /* "parameter=prefix" each */
	enum vzd_sig_alg sig_alg;      /* of lists asked for */
	uint64_t list_max;             /* list.max_bytes */
	X509_STORE *anchors;           /* of the servers, made while loading; NULL: lookups' */
};

enum list_form { LIST_SIGNED, LIST_UNSIGNED };
enum list_check { LIST_CHECK_EVERY, LIST_CHECK_MAX_AGE };

struct list_conf {
	struct conf_list anchor_files; /* PEM */
	char *signer_role;             /* OID or NULL */
	char *signer_cn;               /* or NULL */
	struct trust_conf trust;       /* whether the signer may be trusted at the time */
	uint64_t max_bytes, max_entries;
	clock_ms interval;       /* of the scheduled refresh */
	clock_ms retry_interval; /* while the VZD is not healthy */
	uint64_t retries;
	clock_ms ttl;
	clock_ms claim;        /* how long a fetcher that died is waited for */
	enum list_check check; /* on requests of proxies */
	clock_ms check_max_age, check_timeout, check_gap;
	enum list_form form;
	char *sign_certificate, *sign_key; /* of a list that comes unsigned */
	/* made while loading */
	X509_STORE *anchors; /* NULL: none are configured, no list is served */
	struct str sign_certificate_pem, sign_key_pem;
};

extern const struct conf_option vzd_rows[];
extern const struct conf_option list_rows[];

void vzd_check(struct load *l, struct vzd_conf *v, struct list_conf *c);
void vzd_files(
    struct load *l, bool test_mode, bool ca_system, struct vzd_conf *v, struct list_conf *c);
void vzd_files_fini(struct vzd_conf *v, struct list_conf *c);

#endif
