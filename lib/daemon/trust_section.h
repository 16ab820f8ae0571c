/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust_section - the settings of trust: downloads of roots and sub-CAs, revocation.
 *
 * Rows of a section of its own, relative to struct trust_conf.  The pinned anchors and what the
 * signer must be stand in the section of what is signed.
 */
#ifndef SCHLEUSE_DAEMON_TRUST_SECTION_H
#define SCHLEUSE_DAEMON_TRUST_SECTION_H

#include "lib/conf/load.h"
#include "lib/trust/trust.h"

struct trust_conf {
	char *base_url;               /* of the download point, or NULL */
	char *ocsp_url, *ca_ocsp_url; /* or NULL: those in the certificates */
	enum trust_revocation revocation;
	clock_ms ocsp_max_age, grace, roots_interval, retry;
	uint64_t max_issuers, max_certificates;
};

extern const struct conf_option trust_rows[];          /* revocation: required by default */
extern const struct conf_option trust_optional_rows[]; /* off by default */

void trust_check(struct load *l, struct trust_conf *c);

/* Whether there is anything to do that pinned anchors do not do alone. */
bool trust_wanted(const struct trust_conf *c);

/* The settings as trust_new() wants them; who and where is left to the daemon: name, client_id,
 * state_dir, anchors, fetcher, timeout, count. */
struct trust_config trust_settings(const struct trust_conf *c);

#endif
