/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsutil - whole files: read with a limit, replace without ever leaving half of one.
 */
#ifndef SCHLEUSE_BASE_FSUTIL_H
#define SCHLEUSE_BASE_FSUTIL_H

#include <sys/types.h>

#include "lib/base/buf.h"

/* Reads the file at path into out (appending), at most out->max bytes.  0, or -1 with errno set;
 * EFBIG when the file is larger. */
int fs_read(const char *path, struct buf *out) __attribute__((warn_unused_result));

/* Replaces the file: temporary file beside it, write, fsync, rename, fsync of the folder.  0, or -1
 * with errno set and the old file untouched. */
int fs_replace(const char *path, struct str content, mode_t mode)
    __attribute__((warn_unused_result));

/* 1 if neither others may touch the file nor the group may write it, as a secret needs; 0 if they
 * may; -1 with errno when it cannot be looked at. */
int fs_is_private(const char *path);

#endif
