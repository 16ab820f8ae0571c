/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aim - whom an outbound request is meant for, as the homeserver says it.
 *
 * matrix-federation:// names a Matrix server; CONNECT and absolute https:// and http:// name a host
 * and port, and which Matrix server that is, if any, has to be found out (O-13).
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_AIM_H
#define SCHLEUSE_PROXY_OUTBOUND_AIM_H

#include "lib/base/arena.h"
#include "lib/http/h1.h"
#include "lib/matrix/destination.h"
#include "lib/matrix/owners.h"
#include "proxy/config.h"

struct remote;

struct aim {
	struct str server; /* a Matrix server name; n == 0: only host and port are known */
	struct str host;   /* lower case, no brackets */
	uint16_t port;
	bool plain;                         /* http:// */
	bool tunnelled;                     /* inside of a CONNECT whose TLS we ended; then */
	struct str sni;                     /* what the homeserver asked TLS for; n == 0: none */
	const struct allowed_conf *allowed; /* a destination beside the federation, or NULL */
	/* found on the way; one reference each, or NULL */
	const struct fact *owner;
	const struct fact *destination;
	const struct fact *through; /* where the HTTP proxy in between is */
	struct remote *remote;
};

static inline const struct destination *
aim_destination(const struct aim *aim)
{
	return (const struct destination *)(const void *)aim->destination;
}

static inline const struct destination *
aim_through(const struct aim *aim)
{
	return (const struct destination *)(const void *)aim->through;
}

/* From an absolute-form request.  ERR_PROXY_FORM: not one; ERR_OUT_TARGET: authority is no server
 * name, or no host and port. */
enum err aim_of_request(struct aim *out, struct arena *a, const struct h1_head *req) MUST_CHECK;

/* Host and port of a CONNECT or an authority, `preset` where it names no port (0: it must).
 * ERR_OUT_TARGET. */
enum err aim_at(struct aim *out, struct arena *a, struct str authority, uint16_t preset) MUST_CHECK;

/* The entry of the service's list that allows it, or NULL. */
const struct allowed_conf *aim_allowed(const struct aim *aim, const struct way_out_conf *w);

#endif
