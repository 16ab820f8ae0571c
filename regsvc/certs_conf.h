/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_conf - the section "passport": whose PASSporT certificates are served, and how they are
 * checked.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_CONF_H
#define SCHLEUSE_REGSVC_CERTS_CONF_H

#include "lib/conf/load.h"
#include "lib/trust/trust.h"

struct passport_conf {
	struct conf_list anchors; /* PEM files */
	bool vzd;                 /* ask the VZD for certificates */
	clock_ms interval;        /* at which it is asked */
	clock_ms overlap;         /* how long what it no longer gives is served */
	uint64_t max_vzd;         /* certificates of it */
	uint64_t max_registered;
	char *download_url; /* of roots and sub-CAs, or NULL */
	enum trust_revocation revocation;
	char *ocsp_url, *ca_ocsp_url; /* or NULL */
	clock_ms ocsp_max_age, grace;
	/* made while loading */
	X509_STORE *store; /* NULL: no anchors */
};

extern const struct conf_option passport_conf_rows[]; /* relative to the struct */

void passport_conf_check(struct load *l, struct passport_conf *c);
void passport_conf_files(struct load *l, struct passport_conf *c);
void passport_conf_fini(struct passport_conf *c);

/* The judge of these certificates; keeps what it learns in state_dir.  NULL: out of memory. */
struct trust *passport_conf_trust(const struct passport_conf *c, struct loop *loop,
    struct fetcher *fetcher, const char *state_dir, clock_ms timeout) MUST_CHECK;

#endif
