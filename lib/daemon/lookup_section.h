/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup_section - the settings of DNS and of questions to other servers that all daemons have, and
 * what is opened by them.
 *
 * A daemon's section "lookups" begins with LOOKUP_ROWS and may go on with rows of its own.
 */
#ifndef SCHLEUSE_DAEMON_LOOKUP_SECTION_H
#define SCHLEUSE_DAEMON_LOOKUP_SECTION_H

#include "lib/base/clock.h"
#include "lib/conf/load.h"
#include "lib/http/fetch.h"

struct lookup_host {
	char *name;
	char *address;
};

struct lookup_conf {
	struct conf_list nameservers; /* "ip" or "ip:port"; empty: the system's */
	struct lookup_host *hosts;    /* fixed addresses, before DNS */
	size_t n_hosts;
	char *ca_file;   /* CAs for other servers' certificates besides the system store, or NULL */
	bool ca_system;  /* use the system store */
	char *client_id; /* assigned by gematik, sent as TI-User-Agent (A_27783), or NULL */
	bool private_addresses; /* allow look-ups to reach addresses that are not public */
	clock_ms timeout;       /* of one */
};

/* `type`: the daemon's struct, which has the struct lookup_conf as its member `at`. */
/* clang-format off */
#define LOOKUP_ROWS(type, at) \
	{ "nameservers", CONF_STRINGS, CONF_FIELD(type, at.nameservers), "", 0, 16, CONF_RELOAD, \
	  "DNS servers as IP or IP:port; none: those of the system" }, \
	{ "hosts", CONF_MAP, CONF_FIELD(type, at.hosts), "", 0, 10000, CONF_RELOAD, \
	  "fixed addresses of host names, before DNS", .rows = lookup_host_rows, \
	  .item_size = sizeof(struct lookup_host), .count = CONF_FIELD(type, at.n_hosts) }, \
	{ "ca_file", CONF_PATH, CONF_FIELD(type, at.ca_file), "", 0, 4096, CONF_RELOAD, \
	  "PEM file of CAs for other servers' certificates" }, \
	{ "ca_system", CONF_BOOL, CONF_FIELD(type, at.ca_system), "true", 0, 0, CONF_RELOAD, \
	  "whether the system's CAs count for other servers' certificates" }, \
	{ "private_addresses", CONF_BOOL, CONF_FIELD(type, at.private_addresses), "false", 0, 0, CONF_RELOAD, \
	  "whether look-ups may reach addresses that are not public" }, \
	{ "client_id", CONF_STRING, CONF_FIELD(type, at.client_id), "", 0, 20, CONF_RELOAD, \
	  "product's client id, which questions to OCSP responders and downloads of CAs carry" }, \
	{ "timeout", CONF_DURATION, CONF_FIELD(type, at.timeout), "10s", 100, 10 * 60 * 1000, CONF_RELOAD, \
	  "one look-up at another server" }
/* clang-format on */

extern const struct conf_option lookup_host_rows[];

void lookup_check(struct load *l, struct lookup_conf *c);

/* NULL: out of memory (or a CA file that cannot be read any more, which is logged). */
struct resolver *lookup_resolver(struct loop *loop, const struct lookup_conf *c) MUST_CHECK;
/* `proxy`: HTTP proxy in between, NULL: none. */
struct fetcher *lookup_fetcher(struct loop *loop, struct resolver *resolver,
    const struct lookup_conf *c, const struct fetch_proxy *proxy) MUST_CHECK;

#endif
