/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show - prints answers of the service for people.
 */
#ifndef SCHLEUSE_CTL_SHOW_H
#define SCHLEUSE_CTL_SHOW_H

#include "lib/base/str.h"

/* Each prints to standard output.  false: the answer is not of the form this version knows. */
bool show_client(struct str json);
bool show_clients(struct str json);
bool show_certificates(struct str json);
bool show_certificate(struct str json);
bool show_status(struct str json);

void show_error(struct str json); /* to standard error */

#endif
