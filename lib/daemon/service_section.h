/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_section - the settings that all daemons with one loop have in common: where they listen,
 * TLS, limits and times of connections, state, log.
 *
 * A daemon's configuration begins with a struct service_conf; its table begins with SERVICE_ROWS
 * and goes on with its own.
 */
#ifndef SCHLEUSE_DAEMON_SERVICE_SECTION_H
#define SCHLEUSE_DAEMON_SERVICE_SECTION_H

#include <openssl/x509.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/snapshot.h"
#include "lib/conf/load.h"

struct service_listener {
	struct conf_address address; /* port 0: any */
};

struct service_tls_conf {
	char *certificate, *key;    /* PEM files; certificate with its chain */
	struct conf_list hosts;     /* names the certificate must cover */
	struct conf_list client_ca; /* PEM files: whose certificates clients may show */
	bool tls13, http2;
	clock_ms ticket_lifetime;
	/* made while loading */
	struct str certificate_pem, key_pem;
	int64_t not_after;          /* wall-clock second at which the certificate ends */
	X509_STORE *client_anchors; /* NULL: none are asked for */
};

struct service_limits {
	uint64_t head_max, target_max, fields_max;
	uint64_t body_max;
	uint64_t request_memory;          /* arena of one request */
	uint64_t connections_max;         /* in all */
	uint64_t connections_per_address; /* 0: any number */
};

struct service_timeouts {
	clock_ms handshake, head, body, idle, write;
	clock_ms drain;
};

struct service_conf {
	struct snapshot snap;
	char *path; /* of the file */
	/* process: change needs a restart */
	struct service_listener *listeners;
	size_t n_listeners;
	struct conf_address admin;
	char *addresses_file; /* written with what was bound, or NULL */
	char *state_dir;
	/* behaviour: changes on reload */
	bool test_mode; /* self-signed certificates and keys others can read are allowed */
	enum log_level log_level;
	struct service_tls_conf tls;
	struct service_limits limits;
	struct service_timeouts timeouts;
};

#endif
