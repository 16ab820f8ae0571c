/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wellknown - /.well-known/matrix/{server,client,support} from the configuration.
 *
 * Server-server API "Resolving server names", client-server API "Well-known URI".  A document is
 * built and judged when the configuration is loaded (config_wellknown.c) and lives as long as that;
 * here it is only found and sent, so it is there even while the homeserver is down.
 */
#ifndef SCHLEUSE_PROXY_WELLKNOWN_H
#define SCHLEUSE_PROXY_WELLKNOWN_H

#include "lib/http/exchange.h"
#include "proxy/config.h"

/* What the service says about the document of this route; never NULL. */
const struct document *wellknown_document(const struct service_conf *s, const struct route *route);

/* Answers GET, HEAD or OPTIONS with a document of mode DOCUMENT_SERVE and ends the exchange. */
void wellknown_answer(struct exchange *ex, const struct document *d);

#endif
