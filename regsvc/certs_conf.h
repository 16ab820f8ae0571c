/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_conf - the section "passport": whose PASSporT certificates are served, and how they are
 * checked.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_CONF_H
#define SCHLEUSE_REGSVC_CERTS_CONF_H

#include "lib/daemon/lookup_section.h"
#include "lib/daemon/trust_section.h"

struct passport_conf {
	struct conf_list anchor_files; /* PEM */
	bool vzd;                      /* ask the VZD for certificates */
	clock_ms interval;             /* at which it is asked */
	clock_ms overlap;              /* how long what it no longer gives is served */
	uint64_t max_vzd;              /* certificates of it */
	uint64_t max_registered;
	struct trust_conf trust;
	X509_STORE *anchors; /* made while loading; NULL: none are configured */
};

extern const struct conf_option passport_rows[]; /* relative to the struct */

void passport_check(struct load *l, struct passport_conf *c);
void passport_files(struct load *l, struct passport_conf *c);
void passport_files_fini(struct passport_conf *c);

/* The judge of the certificates; keeps what it learns in state_dir, and begins with what `from`
 * (the one before it, or NULL) knows.  Only with anchors.  NULL: out of memory. */
struct trust *passport_trust(const struct passport_conf *c, struct loop *loop,
    struct fetcher *fetcher, const struct lookup_conf *lookups, const char *state_dir,
    const struct trust *from) MUST_CHECK;

#endif
