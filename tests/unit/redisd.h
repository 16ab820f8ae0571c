/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redisd - real redis-servers for a test, in a folder of it, ended with it.
 */
#ifndef SCHLEUSE_TESTS_REDISD_H
#define SCHLEUSE_TESTS_REDISD_H

#include <stdbool.h>
#include <sys/types.h>

struct redisd {
	pid_t pid;
	unsigned short port; /* 0: the unix socket only */
	char path[4200];     /* of the socket */
	char dir[4200];
};

/* A port below those the kernel hands out: nobody else is given it while the server is down. */
unsigned short redisd_port(void);
/* Skips the test where there is no redis-server.  `name` tells several apart. */
void redisd_init(struct redisd *d, const char *name, bool tcp);
/* `args`: further words of its command line, NULL at the end; those of a sentinel begin with
 * "--sentinel".  Waits until it answers. */
void redisd_start(struct redisd *d, const char *const *args);
/* With the users of etc/redis-acl.conf, each with the password "pw", and an administrator. */
void redisd_start_acl(struct redisd *d);
#define REDISD_ADMIN "--no-auth-warning --user admin --pass admin " /* before a command */
void redisd_kill(struct redisd *d); /* SIGKILL; may be started again, its files remain */
void redisd_fini(struct redisd *d); /* and removes its files */
/* One command by redis-cli, its output without the last line end. */
const char *redisd_ask(struct redisd *d, const char *command);

#endif
