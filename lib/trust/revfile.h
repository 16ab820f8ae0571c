/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revfile - the file in which revocation keeps what it knows: a line for each certificate.
 *
 *	<SHA-256 in hex> good|revoked|unknown|unreachable <good_at> <until>
 *
 * Times are wall-clock milliseconds; with `revoked`, <until> is thisUpdate of that answer.  Damaged
 *lines are skipped: what they said is asked again.
 */
#ifndef SCHLEUSE_TRUST_REVFILE_H
#define SCHLEUSE_TRUST_REVFILE_H

#include "lib/base/buf.h"
#include "lib/trust/revocation.h"

#define REVFILE_FINGERPRINT 32
#define REVFILE_LINE_MAX 128

struct revfile_row {
	unsigned char fingerprint[REVFILE_FINGERPRINT];
	enum revocation_state state;
	int64_t good_at, until;
};

bool revfile_print(const struct revfile_row *row, struct buf *out) MUST_CHECK;
bool revfile_parse(struct str line, struct revfile_row *out) MUST_CHECK;

/* <state_dir>/trust-<name>.status; NULL as state_dir: nothing is done.  Faults are logged. */
void revfile_write(const char *state_dir, const char *name, struct str text);
void revfile_read(const char *state_dir, const char *name, size_t max_rows,
    void (*fn)(void *arg, const struct revfile_row *row), void *arg);

#endif
