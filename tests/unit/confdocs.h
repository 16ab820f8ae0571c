/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confdocs - whether rows, manual and sample files of a daemon say the same.
 *
 * Each function fails the running test with what differs.
 */
#ifndef SCHLEUSE_TESTS_CONFDOCS_H
#define SCHLEUSE_TESTS_CONFDOCS_H

#include "lib/conf/load.h"

void confdocs_manual(const struct conf_option *rows, const char *manual);
void confdocs_sample(const struct conf_option *rows, const char *sample, void *conf);

/* The settings of the sample are the defaults; `except`: " name name " of sections and settings
 * that are not.  full, minimal: filled by confdocs_read(). */
void confdocs_defaults(
    const struct conf_option *rows, const void *full, const void *minimal, const char *except);

struct confdocs_file {
	struct arena values;
	struct buf errors;
	struct load load;
};

void confdocs_read(
    struct confdocs_file *f, const char *path, const struct conf_option *rows, void *conf);
void confdocs_done(struct confdocs_file *f);

#endif
