/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows_outbound - the settings of the way out: those of a service and those of the forward
 * proxy as a whole, parts of those of config_rows.
 */
#include "proxy/config.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define ALLOWED(m) CONF_FIELD(struct allowed_conf, m)
#define WAY_OUT(m) CONF_FIELD(struct way_out_conf, m)
#define FORWARD(m) CONF_FIELD(struct forward_conf, m)

/* clang-format off */
static const struct conf_word modes[] = {
	{ "enforce", RULE_ENFORCE }, { "log", RULE_LOG }, { "off", RULE_OFF }, { NULL, 0 } };

static const struct conf_option allowed_rows[] = {
	{ "host", CONF_STRING, ALLOWED(host), NULL, 1, 255, CONF_RELOAD,
	  "host name, \"*.name\" for all names below it, or IP address" },
	{ "port", CONF_COUNT, ALLOWED(port), "443", 1, 65535, CONF_RELOAD, "port" },
	{ "inspect", CONF_BOOL, ALLOWED(inspect), "false", 0, 0, CONF_RELOAD,
	  "whether TLS of the tunnel is ended here, else it passes as it is" },
	CONF_END
};

const struct conf_option proxy_way_out_rows[] = {
	{ "secret_file", CONF_PATH, WAY_OUT(secret_file), "", 0, 4096, CONF_RELOAD,
	  "file of the secret with which the homeserver authenticates; without it it may not go out" },
	{ "signature", CONF_ENUM, WAY_OUT(signature), "enforce", 0, 0, CONF_RELOAD,
	  "whether a request without valid signature of the homeserver is refused, only logged, or not looked at",
	  .words = modes },
	{ "invites", CONF_ENUM, WAY_OUT(invites), "enforce", 0, 0, CONF_RELOAD,
	  "the same for an invite without valid PASSporT", .words = modes },
	{ "domains", CONF_ENUM, WAY_OUT(domains), "log", 0, 0, CONF_RELOAD,
	  "the same for events that name servers which are no members of the federation", .words = modes },
	{ "allow", CONF_SEQUENCE, WAY_OUT(allow), "", 0, 1000, CONF_RELOAD,
	  "destinations that have nothing to do with the federation", .rows = allowed_rows,
	  .item_size = sizeof(struct allowed_conf), .count = WAY_OUT(n_allow) },
	CONF_END
};

#define TIMEOUT(name, member, preset, min, max, help) \
	{ name, CONF_DURATION, FORWARD(member), preset, min, max, CONF_RELOAD, help }
static const struct conf_option timeout_rows[] = {
	TIMEOUT("connect", connect_timeout, "10s", 100, 1 * HOUR, "connecting to another server, with TLS handshake"),
	TIMEOUT("attempt_delay", attempt_delay, "250ms", 10, 10 * SECOND,
	    "connecting to one address until the next one is tried as well"),
	TIMEOUT("idle", idle_timeout, "60s", 100, 1 * HOUR, "unused connection to another server"),
	TIMEOUT("queue", queue_timeout, "10s", 100, 1 * HOUR, "waiting for a connection to another server"),
	TIMEOUT("tunnel_idle", tunnel_idle_timeout, "10m", 1 * SECOND, 24 * HOUR,
	    "tunnel that passes as it is, without a byte in either direction"),
	CONF_END
};

const struct conf_option proxy_forward_rows[] = {
	{ "ca_certificate", CONF_PATH, FORWARD(ca_certificate), "", 0, 4096, CONF_RELOAD,
	  "PEM file of the CA that ends TLS of tunnels; without it they are refused unless they pass as they are" },
	{ "ca_key", CONF_PATH, FORWARD(ca_key), "", 0, 4096, CONF_RELOAD, "PEM file of its private key" },
	{ "leaf_lifetime", CONF_DURATION, FORWARD(leaf_lifetime), "24h", 1 * MINUTE, 30 * DAY, CONF_RELOAD,
	  "validity of the certificates it issues" },
	{ "leaves_max", CONF_COUNT, FORWARD(leaves_max), "10000", 1, 1000000, CONF_RELOAD,
	  "such certificates kept per worker" },
	{ "proxy", CONF_STRING, FORWARD(proxy), "", 0, 260, CONF_RELOAD,
	  "host:port of an HTTP proxy that leads to other servers" },
	{ "proxy_credentials_file", CONF_PATH, FORWARD(proxy_credentials_file), "", 0, 4096, CONF_RELOAD,
	  "file with user:password for it" },
	{ "destinations_max", CONF_COUNT, FORWARD(destinations_max), "10000", 1, 1000000, CONF_RELOAD,
	  "other servers per worker to which connections exist or existed a while ago" },
	{ "connections_max", CONF_COUNT, FORWARD(connections_max), "32", 1, 65535, CONF_RELOAD,
	  "connections per worker to one other server" },
	{ "idle_max", CONF_COUNT, FORWARD(idle_max), "8", 0, 65535, CONF_RELOAD,
	  "idle connections kept per worker to one other server" },
	{ "idle_total_max", CONF_COUNT, FORWARD(idle_total_max), "1000", 0, 1000000, CONF_RELOAD,
	  "idle connections kept per worker to all of them" },
	{ "queue_max", CONF_COUNT, FORWARD(queue_max), "256", 0, 1000000, CONF_RELOAD,
	  "requests per worker waiting for a connection to one other server" },
	{ "tunnels_max", CONF_COUNT, FORWARD(tunnels_max), "1000", 0, 1000000, CONF_RELOAD,
	  "tunnels per worker, whatever is in them" },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
	CONF_END
};
/* clang-format on */
