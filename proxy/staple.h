/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staple - keeps the OCSP responses of the services' certificates current (services.ocsp).
 *
 * `file`: services.ocsp_file is read again whenever it changes.  `fetch`: the responder named in
 * the certificate, or services.ocsp_url, is asked when half of a response's time is over; failures
 * are repeated after a growing wait (lookups.negative_ttl); the last good response is kept in
 * state_dir.  Either way only a response counts that the issuer vouches for, that is current and
 * says "good".  A certificate found revoked is an error in the log and in the metrics, and what was
 * stapled before is withdrawn.  For the control thread.
 */
#ifndef SCHLEUSE_PROXY_STAPLE_H
#define SCHLEUSE_PROXY_STAPLE_H

#include "lib/http/fetch.h"
#include "lib/net/staples.h"
#include "proxy/config.h"

#define STAPLE_LOOK_MS 1000   /* between two looks at a file */
#define STAPLE_MAX (64 << 10) /* bytes of a response */

struct staple_keeper;

/* Files are read at once, responders asked from the loop.  `changed` is called later, for each new
 * set, which is valid until the next one.  NULL: out of memory. */
struct staple_keeper *staple_open(struct loop *loop, struct proxy_conf *conf,
    struct fetcher *fetcher, void (*changed)(void *arg, struct tls_staples *now),
    void *arg) MUST_CHECK;
void staple_close(struct staple_keeper *k); /* NULL is allowed */

/* What is to be stapled now, in the order of the configuration's services. */
struct tls_staples *staple_now(const struct staple_keeper *k);

#endif
