/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnelca - a folder in which a test makes CAs for tunnels, and loads them.
 *
 * One folder for each test program's process.  What cannot be made ends the test.
 */
#ifndef SCHLEUSE_TESTS_TUNNELCA_H
#define SCHLEUSE_TESTS_TUNNELCA_H

#include "lib/net/minter_int.h"

#define NAMES(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__ \
	}

extern char tunnelca_folder[];
extern char tunnelca_why[512]; /* the last message */

void tunnelca_open(void);
void tunnelca_wipe(void); /* removes the files made */
void tunnelca_close(void);

struct str tunnelca_file(const char *name); /* freed with free() */
/* Frees both texts; NULL: refused. */
struct minter_ca *tunnelca_load(struct str cert, struct str key);
/* In place of the one before. */
struct minter_ca *tunnelca_make(const struct minter_ca_request *r);
/* For all but own.example.org and 192.0.2.7, 400 days. */
struct minter_ca *tunnelca_usual(void);

#endif
