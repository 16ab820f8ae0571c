/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connectd - an HTTP proxy in a thread of the test: CONNECT only, to one place whatever is named.
 *
 * One connection after the other, on a port of 127.0.0.1.
 */
#ifndef SCHLEUSE_TESTS_CONNECTD_H
#define SCHLEUSE_TESTS_CONNECTD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNECTD_ASKED 8

struct connectd {
	int fd;
	uint16_t port;
	uint16_t leads_to;                 /* port of 127.0.0.1 */
	const char *replies[CONNECTD_ASKED]; /* instead of a tunnel; NULL: one is opened */
	char asked[CONNECTD_ASKED][1024];  /* heads as received */
	pthread_t thread;
};

void connectd_start(struct connectd *d);
void connectd_close(struct connectd *d);

#endif
