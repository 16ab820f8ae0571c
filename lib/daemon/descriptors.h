/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptors - for how many connections of clients the process has descriptors.
 *
 * A quarter of those it may open is kept from clients: for the other side (homeservers, push
 * providers, Redis), look-ups and files, so that clients alone never stop what is under way.
 */
#ifndef SCHLEUSE_LIB_DAEMON_DESCRIPTORS_H
#define SCHLEUSE_LIB_DAEMON_DESCRIPTORS_H

#include <stdint.h>

/* Raises the process's limit as far as it may.  Warns when there are fewer than
 * limits.connections_max. */
uint64_t descriptors_for_clients(uint64_t connections_max);

#endif
