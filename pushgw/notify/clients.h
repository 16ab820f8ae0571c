/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients - which homeserver may notify (section "clients" of the configuration).
 *
 * Networks, if any are named, are judged first and by the address of the connection: another
 * program's word for whom it forwards counts nothing.  Then any one of the methods that are
 * configured has to be met: a certificate that TLS has verified (by DNS name or fingerprint), name
 * and password (RFC 7617), or an access token of the registration service (RFC 6750).  Without a
 * method, networks alone decide.
 *
 * A token is believed until it ends: that its client was revoked meanwhile is not known here.
 * Keeps nothing; needs the wall clock.
 */
#ifndef SCHLEUSE_PUSHGW_NOTIFY_CLIENTS_H
#define SCHLEUSE_PUSHGW_NOTIFY_CLIENTS_H

#include "lib/http/exchange.h"
#include "pushgw/config.h"

/* OK; ERR_NOTIFY_NETWORK; ERR_NOTIFY_CERTIFICATE: only certificates count here; ERR_NOTIFY_CLIENT:
 * it shows nothing; ERR_AUTH_SYNTAX, ERR_AUTH_REFUSED, ERR_AUTH_TOKEN: what it shows is wrong;
 * ERR_AUTH_SEVERAL, ERR_AUTH_URL: it shows it in a way that is never right; ERR_MEMORY.  *fields:
 * the lines that belong to the answer (WWW-Authenticate of 401), constant text. */
enum err clients_check(
    const struct clients_conf *conf, struct exchange *ex, struct str *fields) MUST_CHECK;

#endif
