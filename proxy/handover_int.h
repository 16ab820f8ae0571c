/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover_int - what goes from the old process (handover.c) to its successor (inherit.c).
 *
 * One message for each GIFT_SOCKETS sockets of an endpoint, with the descriptors beside it; one
 * with the ticket keys; then the end.  The successor refuses another version, so that the old
 * process goes on and the operator can restart instead.
 */
#ifndef SCHLEUSE_PROXY_HANDOVER_INT_H
#define SCHLEUSE_PROXY_HANDOVER_INT_H

#include "proxy/handover.h"

#define GIFT_VARIABLE "SCHLEUSE_HANDOVER" /* number of the descriptor */
#define GIFT_FD 3
#define GIFT_VERSION 1
#define GIFT_SOCKETS 250 /* the kernel takes 253 in a message */
#define GIFT_READY 'r'

enum gift_type { GIFT_LISTENER, GIFT_ADMIN, GIFT_TICKETS, GIFT_END };

struct gift {
	unsigned version;
	enum gift_type type;
	size_t n; /* sockets of the whole endpoint; ticket keys */
	enum listener_kind kind;
	bool activated;
	char key[LISTENERS_KEY_MAX];
	struct tls_ticket_key tickets[TLS_TICKET_KEYS];
};

#endif
