/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_record - a PASSporT certificate as the store keeps it.
 *
 *	cert:vzd:<fingerprint>  {"pem","gone"}           written by the instance that asks the VZD
 *	cert:reg:<fingerprint>  {"pem","x5u","label"}    written by whom an operator asked
 *
 * Two keys for one certificate, so that neither writer can undo what the other did.  No judgement
 * is kept: each instance judges for itself what it reads.  Pure.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_RECORD_H
#define SCHLEUSE_REGSVC_CERTS_RECORD_H

#include "lib/base/buf.h"
#include "regsvc/certs_cert.h"

#define CERTS_PREFIX "cert:"
#define CERTS_CHANNEL "certs" /* announced with each change */
#define CERTS_KEY_MAX 96
#define CERTS_RECORD_MAX (60 << 10) /* bytes of a value */

struct certs_record {
	struct certs_cert cert;
	bool registered;
	char *x5u, *label; /* of a registered one, or NULL */
	int64_t gone;      /* wall-clock second since which the VZD does not give it, 0: it does */
};

struct str certs_record_key(
    bool registered, const char *fingerprint, char out[CERTS_KEY_MAX]); /* points to out */

bool certs_record_print(
    const char *pem, const char *x5u, const char *label, int64_t gone, struct buf *out) MUST_CHECK;
/* ERR_STORE_DAMAGED: not such a record, or not that of its key; ERR_MEMORY: *out is empty. */
enum err certs_record_read(struct str key, struct str value, struct certs_record *out) MUST_CHECK;
void certs_record_fini(struct certs_record *r);

#endif
