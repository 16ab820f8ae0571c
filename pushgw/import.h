/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import - schleuse-pushgw --import-sygnal: the configuration of a Sygnal (0.10 to 0.17) as ours.
 *
 * What has a counterpart is converted.  What has none, what works differently, and what the
 * operator has to decide is said twice: as a comment at its place in the result, and as a line with
 * the place in Sygnal's file.  Nothing is read but that one file, and no secret in it is repeated.
 */
#ifndef SCHLEUSE_PUSHGW_IMPORT_H
#define SCHLEUSE_PUSHGW_IMPORT_H

#include "lib/base/buf.h"
#include "lib/daemon/program.h"

/* Appends our YAML to `out` and the lines "path:line:column: what" to `notes`.  false: it cannot be
 * converted, `notes` says why; or a buffer is full. */
bool import_sygnal(
    const char *path, struct str text, struct buf *out, struct buf *notes) MUST_CHECK;

extern const struct program_option import_options[];

#endif
