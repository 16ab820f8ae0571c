/* SPDX-License-Identifier: Apache-2.0 */
/*
 * makeca - schleuse-proxy --make-ca: the CA that ends the TLS of the homeserver's tunnels
 * (FD-5.2.1.2-4/-7).
 *
 * What the configuration's services are called is excluded, so that nobody who gets at the key can
 * pass for us.  The configuration is read without the files it names: the CA may be one of them.
 */
#ifndef SCHLEUSE_PROXY_MAKECA_H
#define SCHLEUSE_PROXY_MAKECA_H

#include "lib/daemon/program.h"

extern const struct program_option makeca_options[];

#endif
