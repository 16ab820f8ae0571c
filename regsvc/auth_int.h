/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_int - what the files of auth share: auth.c (requests), token.c (tokens), auth_life.c, and
 * the management of clients.
 */
#ifndef SCHLEUSE_REGSVC_AUTH_INT_H
#define SCHLEUSE_REGSVC_AUTH_INT_H

#include "regsvc/accesstoken.h"
#include "regsvc/auth.h"
#include "regsvc/login.h"

struct auth {
	struct loop *loop;
	struct accesslog *access;
	struct login login; /* its parts are ours */
	struct tokenkeys *keys;
	struct accesstoken_rules rules;
	char issuer[300], audience[300];
	clock_ms rotation_grace;
};

#endif
