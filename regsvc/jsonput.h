/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonput - writes members of JSON objects whose texts are not ours.
 */
#ifndef SCHLEUSE_REGSVC_JSONPUT_H
#define SCHLEUSE_REGSVC_JSONPUT_H

#include "lib/base/buf.h"

/* Appends "name":"text" and a comma.  false: no room. */
bool jsonput_text(struct buf *out, const char *name, struct str text)
    __attribute__((warn_unused_result));
/* Ends an object: takes the place of its last comma. */
bool jsonput_end(struct buf *out) __attribute__((warn_unused_result));

#endif
