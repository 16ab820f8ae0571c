/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - the steps between the rows and a configuration in force.  Only regsvc/config.c
 * needs it.
 *
 * Each step adds its faults to the load and goes on, so that an operator sees all of them at once;
 * fields may be NULL where an earlier step found a fault.
 */
#ifndef SCHLEUSE_REGSVC_CONFIG_CHECK_H
#define SCHLEUSE_REGSVC_CONFIG_CHECK_H

#include "lib/conf/load.h"
#include "regsvc/config.h"

/* What one setting demands of another; implied values filled in.  No I/O. */
void config_check(struct load *l, struct regsvc_conf *c);

/* Reads and judges what the configuration names: certificates, keys, trust anchors. */
void config_files(struct load *l, struct regsvc_conf *c);
void config_files_fini(struct regsvc_conf *c); /* wipes keys, drops what is not in the arena */

#endif
