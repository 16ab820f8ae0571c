/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery - where a Matrix server name points (Matrix server-server API, "Server discovery").
 *
 * Runs on the control thread; one fact cache by server name.  A name that has an IP literal or a
 * port is answered without asking anyone; else .well-known (delegation), SRV _matrix-fed and
 * _matrix, port 8448.  A fact lives as long as the shortest of what it is made of, and is looked up
 * again in the background in the last fifth of that; if name servers fail, it goes on being served
 * for two hours. The target of an SRV record is resolved like any name: aliases (CNAME), which RFC
 * 2782 forbids there, are followed.
 * Whether a name is worth asking about (membership) is the caller's business: ask that first.
 */
#ifndef SCHLEUSE_MATRIX_DISCOVERY_H
#define SCHLEUSE_MATRIX_DISCOVERY_H

#include "lib/fact/fact.h"
#include "lib/http/fetch.h"
#include "lib/matrix/name.h"
#include "lib/matrix/owners.h"

#define DISCOVERY_PORT 8448

struct discovery_target {
	struct fact fact; /* err: ERR_SERVER_NAME, ERR_DNS, ERR_TIMEOUT, ERR_NOT_FOUND (SRV: not
			     offered), ERR_MEMORY */
	const char
	    *tls_name;    /* in the certificate, and SNI unless an IP literal (IPv6 in brackets) */
	const char *host; /* Host field */
	size_t n;         /* where to connect, in order; a name still has to be resolved */
	struct fetch_endpoint at[];
};

struct discovery;

struct discovery_config {
	struct fetcher *fetcher;   /* not owned */
	struct resolver *resolver; /* not owned */
	size_t max_entries, max_pending;
	clock_ms timeout_ms; /* of one whole discovery */
	clock_ms negative_ttl, negative_ttl_max;
};

struct discovery *discovery_new(struct loop *loop, const struct discovery_config *cfg) MUST_CHECK;
void discovery_free(struct discovery *d); /* waiting askers are cancelled without a call */

/* For fact_get(): key is the server name as X-Matrix has it, the value a struct discovery_target if
 * err is OK. */
struct fact_cache *discovery_cache(struct discovery *d);

/* What points to a host and port; owned by the discovery. */
struct owners *discovery_owners(struct discovery *d);

/* Makes `req` ask the target for `path` (url must hold it all).  false: url is too small. */
bool discovery_request(const struct discovery_target *t, const char *path, char *url,
    size_t url_size, struct fetch_request *req) MUST_CHECK;

/* --- pure parts --- */

enum discovery_step {
	DISCOVERY_DIRECT, /* IP literal or port: connect there */
	DISCOVERY_WELL_KNOWN,
	DISCOVERY_SRV_FED, /* _matrix-fed._tcp */
	DISCOVERY_SRV_OLD, /* _matrix._tcp, deprecated */
	DISCOVERY_DEFAULT, /* A/AAAA, port 8448 */
	DISCOVERY_DONE,
	DISCOVERY_FAILED,
};

/* The first step for a name, or for the name a delegation gave. */
enum discovery_step discovery_first(const struct server_name *n, bool delegated);
/* The step after `s` which ended with `err`.  For DISCOVERY_WELL_KNOWN, OK means that discovery
 * goes on with discovery_first() of the delegated name. */
enum discovery_step discovery_next(enum discovery_step s, enum err err);

#endif
