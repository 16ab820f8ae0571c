/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab - a real loop, run turn by turn, and the far ends of its sockets in the hands of the test.
 *
 * The far ends do not block; between two turns the test writes to them and looks at what came.
 */
#ifndef SCHLEUSE_TESTS_LAB_H
#define SCHLEUSE_TESTS_LAB_H

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>

#include "lib/net/loop.h"

#define LAB_PATIENCE_MS 20000 /* a guard against waiting for ever, not a measure */

struct lab_end {
	int fd;
	SSL *ssl;   /* NULL: plain */
	char *got;  /* NUL-terminated */
	size_t n;
	bool eof;   /* or reset */
};

void lab_turn(struct loop *l);

/* Turns until `expr` holds. */
#define UNTIL(l, expr)                                                                            \
	do {                                                                                      \
		const clock_ms lab_begin = clock_now();                                           \
		while (!(expr)) {                                                                 \
			lab_turn(l);                                                              \
			cr_assert_lt(clock_now() - lab_begin, LAB_PATIENCE_MS, "never: %s", #expr); \
		}                                                                                 \
	} while (0)

/* Lets the loop's own timers go on for a while. */
void lab_pass(struct loop *l, clock_ms ms);

int lab_pair(struct lab_end *far);                 /* returns the near descriptor */
int lab_listen(unsigned short *port);              /* on 127.0.0.1; does not block */
bool lab_accepted(int listener, struct lab_end *far);
size_t lab_put(struct lab_end *e, const char *p, size_t n); /* what the socket takes */
void lab_say(struct lab_end *e, const char *text);          /* all of it */
void lab_read(struct lab_end *e);                           /* what there is */
bool lab_has(struct lab_end *e, const char *text);          /* reads; whether text has come */
bool lab_got(struct lab_end *e, const char *text);          /* reads; whether exactly text has come */
bool lab_ended(struct lab_end *e);                          /* reads; whether the end has come */
void lab_forget(struct lab_end *e);
void lab_close(struct lab_end *e);

SSL *lab_client_tls(const char *name);             /* verifies nothing; name: SNI or NULL */

#endif
