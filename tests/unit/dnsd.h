/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsd - a name server in a thread of the test, on a port of 127.0.0.1.
 *
 * Knows what it is told; a name it knows nothing of does not exist (NXDOMAIN).  What it knows may
 * change at any time.  Failing to set up ends the test.
 */
#ifndef SCHLEUSE_TESTS_DNSD_H
#define SCHLEUSE_TESTS_DNSD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DNSD_RECORDS 32

struct dnsd_record {
	char name[128]; /* lower case, without final dot */
	uint16_t type;
	uint32_t ttl;
	unsigned n;
	unsigned char data[300];
};

struct dnsd {
	int fd;
	uint16_t port;
	char where[32];
	pthread_t thread;
	pthread_mutex_t lock; /* for what follows */
	unsigned asked;
	int code;       /* of every answer, 2 is SERVFAIL; -1: none is given; 0: as it should be */
	int of_type;    /* the code is for questions of this type only; 0: for all */
	unsigned spare; /* this many questions more are answered before the code is */
	int minimum;    /* of the SOA record with "none"; -1: no such record */
	unsigned n;
	struct dnsd_record records[DNSD_RECORDS];
};

void dnsd_open(struct dnsd *d);
void dnsd_close(struct dnsd *d);

void dnsd_clear(struct dnsd *d); /* forgets the records */
void dnsd_fail(struct dnsd *d, int code, int of_type);
void dnsd_a(struct dnsd *d, const char *name, uint32_t ttl, const char *address); /* or AAAA */
void dnsd_cname(struct dnsd *d, const char *name, uint32_t ttl, const char *target);
void dnsd_srv(struct dnsd *d, const char *name, uint32_t ttl, unsigned priority, unsigned weight,
    uint16_t port, const char *target);
unsigned dnsd_asked(struct dnsd *d); /* how many questions came */

#endif
