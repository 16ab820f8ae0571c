/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the service as a process: start, signals, reload, the end.
 */
#ifndef SCHLEUSE_REGSVC_CONTROL_H
#define SCHLEUSE_REGSVC_CONTROL_H

#include "regsvc/config.h"

/* Runs until SIGTERM; takes over the configuration.  The exit status. */
int control_run(struct regsvc_conf *conf) MUST_CHECK;

#endif
