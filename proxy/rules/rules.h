/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - the decisions: pure functions of a request, the facts about it, and the configuration.
 *
 * Each rule lives in a file of its own and does no I/O.  The passage calls them in the order of
 * their preconditions; the first refusal wins.  What a rule needs beyond its return value (the list
 * of invites in a transaction) it leaves in the struct.
 */
#ifndef SCHLEUSE_PROXY_RULES_H
#define SCHLEUSE_PROXY_RULES_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/federation/fedlist.h"
#include "lib/http/h1.h"
#include "lib/matrix/xmatrix.h"
#include "proxy/config.h"
#include "proxy/routes.h"

struct serverkeys;
struct passport_trust;

#define DOMAINS_MAX 256 /* server names in the events of one request; more: ERR_JSON_SHAPE */
#define INVITES_MAX 50  /* PDUs in one transaction (Matrix server-server API, "Transactions") */

struct invite { /* of one of our users, outbound of one of the other server's */
	struct str room, sender, invitee;
};

/* Who a client token belongs to, as far as the rules need it. */
struct rule_account {
	bool known;    /* false: the homeserver does not accept the token, and will say so itself */
	bool is_admin; /* by the homeserver's flag */
	struct str user; /* MXID */
	bool has_displayname;
	struct str displayname;
};

struct judged {
	/* the request */
	uint64_t id; /* for the log */
	const struct h1_head *req;
	const struct segments *path;
	const struct route *route;
	struct str body;    /* as received; n == 0: none */
	struct str content; /* its canonical form */
	struct arena *arena;
	/* configuration and snapshots */
	const struct service_conf *service;
	bool outbound; /* our homeserver asks another one; else another, or a client, asks ours */
	/* Whom a federation request is for: us, or outbound the server that is contacted, spelled
	 * as the target has it if that names one; in the signed text it may be spelled otherwise.
	 */
	struct str destination, signed_for;
	const struct federation_conf *federation;
	const struct fedlist *list; /* NULL: none */
	bool list_stale;
	const struct passport_trust *passports; /* NULL: none */
	int64_t now_ms;                         /* wall clock */
	/* found by the rules */
	struct xmatrix *auth; /* in the arena */
	size_t n_auth;
	struct str origin;
	bool destination_absent; /* counted: older senders leave it out */
	struct invite *invites;  /* in the arena */
	size_t n_invites;
	struct str *domains; /* outbound: server names in the body's events, in the arena */
	size_t n_domains;
	struct str stranger; /* of those, the first that is not listed */
	struct str x5u; /* of a PASSporT whose certificate is not known; n == 0: there is none */
	/* facts */
	const struct serverkeys *keys;
	const bool *invites_known;          /* n_invites long; NULL: not asked yet */
	const struct rule_account *account; /* NULL: not asked yet */
};

/* Parses the X-Matrix headers into auth and origin; n_auth == 0: there are none.
 * ERR_XMATRIX_SYNTAX: malformed, or of different origins or destinations; ERR_XMATRIX_KEY. */
enum err rule_xmatrix(struct judged *j) MUST_CHECK;

/* FD-5.2.1.2-10: ... of a request to us: the destination is this service. */
enum err rule_authorization(struct judged *j) MUST_CHECK;

/* FD-5.2.1.2-8: ... of an outbound request: the origin is this service, spelled as it is
 * configured, the destination is there, and it is the server in `destination`, in any spelling.  If
 * the target has not named one (n == 0), `destination` becomes what the header says; who contacts
 * it must see to it that the connection leads there (O-13). */
enum err rule_outbound(struct judged *j) MUST_CHECK;

/* Whether both are the same server name: letter case, a dot at the end and zeros before the port
 * do not count.  false: also if one is no server name. */
bool rule_same_server(struct str a, struct str b);

/* AF_10064-02: the server names in the events of an outbound body (whom events are by, about or, if
 * ephemeral, for), each once and in its normal form; leaves them in domains.  A body that has no
 * events by its route names none.  ERR_JSON_SHAPE where the endpoint's form is not met, and for
 * more than DOMAINS_MAX. */
enum err rule_domains_list(struct judged *j) MUST_CHECK;
/* ... and whether all are members of the list at hand: ERR_DOMAIN_UNLISTED with the first that is
 * not in stranger. */
enum err rule_domains(struct judged *j) MUST_CHECK;

/* A_26328, O-11: the server named in the path of an OUT_MEDIA route; whether it is one is not
 * checked. */
struct str rule_media_server(const struct judged *j);

/* FD-5.2.1.2-7/-11/-12: a valid list is at hand, and both ends are on it.  Before any key is
 * fetched (O-12).  The other end first: what its user or ours is told is about that one. */
enum err rule_membership(struct judged *j) MUST_CHECK;
bool rule_is_listed(const struct judged *j, struct str name);

/* Whether the keys at hand know none of the key IDs used: worth asking the origin again. */
bool rule_keys_unknown(const struct judged *j);

/* FD-5.2.1.2-10: every signature by a known, valid key verifies, and there is one.
 * ERR_XMATRIX_KEY, ERR_XMATRIX_SIGNATURE; outbound ERR_OUT_KEY, ERR_OUT_SIGNATURE. */
enum err rule_signature(struct judged *j) MUST_CHECK;

/* FD-5.2.1.2-15: the invite in a body carries a PASSporT for it, and is by a user of the origin
 * for one of the destination (an exchange: the other way round); leaves the invite in invites[0],
 * and the x5u if the certificate is what is missing. */
enum err rule_invite(struct judged *j) MUST_CHECK;

/* Lists the invites of the destination's users in a transaction that need to be known; outbound
 * those by our users. */
enum err rule_transaction_list(struct judged *j) MUST_CHECK;
/* ... and refuses the transaction unless all are (O-9). */
enum err rule_transaction(struct judged *j) MUST_CHECK;

/* FD-5.2.1.2-19/-20: whether the request touches a display name at all, so that the account must be
 * known. */
bool rule_displayname_applies(struct judged *j);
enum err rule_displayname(struct judged *j) MUST_CHECK;

/* FD-5.2.1.2-15: a federation path outside of the catalogue is none that a lenient server takes for
 * one with invites. */
enum err rule_unknown(const struct judged *j) MUST_CHECK;
/* ... nor for any other with events: their domains would go unseen. */
enum err rule_unknown_events(const struct judged *j) MUST_CHECK;

/* O-13: a request to an allowed destination beside the federation has no path that a lenient server
 * takes for one of the federation, however it is spelled; for what is one is judged as such.
 * ERR_OUT_TARGET_REFUSED, ERR_MEMORY. */
enum err rule_guest(const struct judged *j) MUST_CHECK;

/* Whether a path segment could be read as `name`: in any case, with path parameters, beside an
 * escaped slash. */
bool rule_resembles(struct str segment, struct str name);

/* The access token of a client request: header or query.  n == 0: none, or in more than one place.
 */
struct str rule_token(const struct judged *j);

/* How often a query parameter occurs; *value is decoded, the first if it is repeated. */
size_t rule_query(const struct judged *j, struct str name, struct str *value);

#endif
