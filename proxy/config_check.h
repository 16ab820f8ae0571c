/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - the steps between the rows and a configuration in force.  Only proxy/config.c
 * needs it.
 *
 * Each step adds its faults to the load and goes on, so that an operator sees all of them at once;
 * fields may be NULL where an earlier step found a fault.
 */
#ifndef SCHLEUSE_PROXY_CONFIG_CHECK_H
#define SCHLEUSE_PROXY_CONFIG_CHECK_H

#include "lib/conf/load.h"
#include "proxy/config.h"

/* What one setting demands of another; names in normal form, implied values filled in.  No I/O. */
void config_check(struct load *l, struct proxy_conf *c);

/* The sections tls and redis. */
void config_tls(struct load *l, struct proxy_conf *c);

void config_lower(char *s); /* in place */

/* Makes the documents of services.well_known; faults where a value does not do. */
void config_well_known(struct load *l, struct service_conf *s);
/* Part of it: the processes of one service's homeserver and the paths to them. */
void config_upstreams(struct load *l, struct proxy_conf *c, struct service_conf *s);
void config_check_local(/* the homeserver's address; `field`: where it stands */
    struct load *l, const char *what, const struct conf_address *ad, const void *field);

/* Where a federation's list and PASSporT certificates come from, and its registration service. */
void config_regsvc(struct load *l, struct federation_conf *f);
void config_regsvc_files(struct load *l, bool test_mode, struct regsvc_conf *r);
void config_regsvc_fini(struct regsvc_conf *r);

/* The way out: its listeners, the services' part and the forward proxy's; their files. */
void config_outbound_listener(struct load *l, struct listener_conf *c);
void config_outbound(struct load *l, struct proxy_conf *c);
void config_outbound_files(struct load *l, struct proxy_conf *c);
void config_outbound_fini(struct proxy_conf *c);

/* Reads and judges what the configuration names: certificates, keys, OCSP responses, trust anchors.
 */
void config_files(struct load *l, struct proxy_conf *c);
void config_files_fini(struct proxy_conf *c); /* wipes keys, drops what is not in the arena */

#endif
