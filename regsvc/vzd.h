/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd - what is asked of the VZD-FHIR-Directory as a TIM provider (I_VZD_TIM_Provider_Services).
 *
 * Each call gets its token from vzd_auth; answered 401, it gets another token and is repeated once.
 * Each HTTP call has vzd.timeout, which also decides whether the VZD counts as healthy.  What fails
 * is counted and logged here with advice.
 *
 * Runs on the service's loop and lives as long as the process; a reload brings it new settings,
 * with which whatever is under way begins again.
 */
#ifndef SCHLEUSE_REGSVC_VZD_H
#define SCHLEUSE_REGSVC_VZD_H

#include "lib/http/fetch.h"
#include "regsvc/vzd_answer.h"
#include "regsvc/vzd_conf.h"

struct vzd;
struct vzd_call;

struct vzd *vzd_new(struct loop *loop) MUST_CHECK; /* NULL: out of memory */
void vzd_free(struct vzd *v); /* callers that wait are not called; NULL is allowed */

/* Puts settings in force, at the start and on each reload.  Both must outlive the next
 * vzd_adopt(). */
void vzd_adopt(struct vzd *v, const struct vzd_conf *conf, struct fetcher *fetcher);

/* Whether a VZD is configured.  Without one every call ends with ERR_VZD_OFF. */
bool vzd_configured(const struct vzd *v);

/* Every fn below is called later exactly once unless cancelled; the handle is invalid from the call
 * on.  NULL: out of memory, nobody is called.  verdict->err: OK; ERR_VZD_OFF, ERR_SECRET,
 * ERR_MEMORY; those of vzd_judge(), of whichever step. */

/* FederationList (FD-5.2.2-11, -13).  version: the one we have, -1: none.  answer is NULL without
 * one of the list itself; with OK its status is 200, the body the list, or 204: the version given
 * is current. */
typedef void vzd_list_fn(
    void *arg, const struct vzd_verdict *verdict, const struct fetch_result *answer);
struct vzd_call *vzd_list(struct vzd *v, int64_t version, vzd_list_fn *fn, void *arg) MUST_CHECK;

/* PASSporTCertificates, or where that is not known PASSporTCertificate (FD-5.2.2-20): PEM texts as
 * they came, none of them judged. */
#define VZD_CERTIFICATES_MAX 256
typedef void vzd_certificates_fn(
    void *arg, const struct vzd_verdict *verdict, const struct str *pem, size_t n);
struct vzd_call *vzd_certificates(struct vzd *v, vzd_certificates_fn *fn, void *arg) MUST_CHECK;

/* localization (whereIs) of a user, "@local:server". */
enum vzd_place { VZD_NONE, VZD_ORG, VZD_PRACT, VZD_ORG_PRACT };
extern const char *const vzd_place_names[]; /* "none", "org", "pract", "orgPract" */
typedef void vzd_place_fn(void *arg, enum err err, enum vzd_place place);
/* NULL also for what is no MXID. */
struct vzd_call *vzd_localize(
    struct vzd *v, struct str mxid, vzd_place_fn *fn, void *arg) MUST_CHECK;

void vzd_cancel(struct vzd_call *c); /* NULL is allowed */

#endif
