/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsclient - TLS of connections we open: versions and suites as for servers, the peer verified.
 *
 * A context may be shared by all connections of one thread to peers trusted by the same anchors.
 */
#ifndef SCHLEUSE_NET_TLSCLIENT_H
#define SCHLEUSE_NET_TLSCLIENT_H

#include <openssl/ssl.h>

#include "lib/base/err.h"

/* Takes a reference of the anchors.  NULL: out of memory. */
SSL_CTX *tlsclient_context(X509_STORE *anchors) MUST_CHECK;

/* An SSL for stream_new() which accepts only a certificate for `host`: a name, which is also sent
 * as SNI, or an IP literal.  NULL: out of memory. */
SSL *tlsclient_connect(SSL_CTX *ctx, const char *host) MUST_CHECK;

#endif
