/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination - where to connect for another server or host, as the data path needs it: discovery
 * done, names resolved, addresses filtered (O-13, FD-5.2.1.2-9).
 *
 * Control thread; one fact cache.  The key is a Matrix server name, or destination_key_host() of a
 * host and port that has nothing to do with Matrix.  An address that was filtered is never in the
 * fact, and the fact's addresses are what is connected to: no second look-up can lead elsewhere
 * (DNS rebinding).  Facts live as long as the shortest TTL behind them and are looked up again in
 * the background in the last fifth of that; while name servers fail, one that is over is served for
 * a grace period.  Name servers' word that there is no such name, and addresses that are all
 * filtered, end a fact at once.
 */
#ifndef SCHLEUSE_MATRIX_DESTINATION_H
#define SCHLEUSE_MATRIX_DESTINATION_H

#include "lib/matrix/discovery.h"
#include "lib/net/address.h"

#define DESTINATION_ADDRESSES_MAX 32

struct destination_endpoint { /* as discovery gave it: the target of an SRV record, a host */
	const char *host;
	uint16_t port;
};

struct destination {
	struct fact fact; /* err: ERR_REMOTE_DNS, _ADDRESS, _OFF, _TIMEOUT; ERR_SERVER_NAME,
			     ERR_OVERLOAD, ERR_MEMORY */
	const char *key;
	const char *tls_name; /* in the certificate, and SNI unless an IP literal (no brackets) */
	const char *host;     /* Host field */
	size_t n_endpoints;
	const struct destination_endpoint *endpoints; /* in order */
	size_t n;                                     /* 0 only when names are left to a proxy */
	const struct address *at; /* of all endpoints, in order, families alternating */
};

#define DESTINATION_KEY_MAX (NAME_MAX_LEN + 16)

/* "@host:port", for hosts that are no Matrix servers; n == 0: too long. */
struct str destination_key_host(struct str host, uint16_t port, char out[DESTINATION_KEY_MAX]);

/* The same for a host of our own, such as the HTTP proxy on the way out: whatever its address is,
 * it may be connected to, and its name is always resolved here. */
struct str destination_key_own(struct str host, uint16_t port, char out[DESTINATION_KEY_MAX]);

struct destinations;

struct destinations_config {
	struct discovery *discovery; /* not owned, like the resolver */
	struct resolver *resolver;
	bool private_addresses; /* allow addresses that are not public */
	bool by_name; /* a proxy in between resolves names: only their text is looked at */
	size_t max_entries, max_pending;
	clock_ms timeout_ms; /* of one whole look-up */
	/* After a failure of name servers, doubled from the one to the other, but at most 1 min. */
	clock_ms negative_ttl, negative_ttl_max;
	clock_ms ttl_min, ttl_max; /* bounds of what DNS says; 0: 5 s, 1 h */
	clock_ms grace;            /* how long a fact outlives its TTL in an outage; 0: 2 h */
};

struct destinations *destinations_new(
    struct loop *loop, const struct destinations_config *cfg) MUST_CHECK;
void destinations_free(struct destinations *d); /* waiting askers are cancelled without a call */

/* Values are struct destination if err is OK. */
struct fact_cache *destinations_cache(struct destinations *d);

/* --- pure --- */

/* Whether host:port is one of its endpoints (or, for an endpoint that is a literal, the same
 * address): what a CONNECT must name to be meant for it. */
bool destination_is_at(const struct destination *d, struct str host, uint16_t port);

#endif
