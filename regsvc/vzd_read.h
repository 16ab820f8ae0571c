/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_read - what the bodies of the VZD's answers say.  Pure.
 */
#ifndef SCHLEUSE_REGSVC_VZD_READ_H
#define SCHLEUSE_REGSVC_VZD_READ_H

#include "regsvc/vzd.h"

/* {"passportSigningCertificates":["<PEM>",…]}, or one text under the name in the singular.  Texts
 * spelled with escapes are put into buf, which has room for as many bytes as the body.  false:
 * neither, or more than max. */
bool vzd_read_certificates(
    struct str body, char *buf, struct str *pem, size_t max, size_t *n) MUST_CHECK;

/* A JSON string, or the bare word: org, pract, orgPract, none. */
bool vzd_read_place(struct str body, enum vzd_place *out) MUST_CHECK;

#endif
