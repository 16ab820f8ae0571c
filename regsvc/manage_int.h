/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage_int - what the files of manage share: manage.c (socket, requests), manage_clients.c,
 * manage_certificates.c, manage_status.c.
 */
#ifndef SCHLEUSE_REGSVC_MANAGE_INT_H
#define SCHLEUSE_REGSVC_MANAGE_INT_H

#include "lib/http/server.h"
#include "lib/jose/claims.h"
#include "regsvc/auth_int.h"
#include "regsvc/manage.h"

#define MANAGE_SECRET 43 /* base64url of 32 bytes */

struct manage {
	struct loop *loop;
	struct auth *auth;
	struct certs *certs;
	struct manage_sources of;
	struct http_server http;
	struct listener *listener;
	int fd;
	char path[4200];
};

/* One request. */
struct manage_call {
	struct manage *manage;
	struct exchange *ex;
	void (*run)(struct manage_call *c);
	struct str name; /* in the path, if the route has one */
	bool *gone;      /* set when it ends while it asks for the body */
	struct buf body;
	struct claims *in; /* the body; NULL: none */
	/* a change under way */
	struct client record;
	char secret[MANAGE_SECRET + 1]; /* "": none was made */
	int status;                     /* of the answer when it is stored */
	struct password_job *job;
	struct clients_put *put;
	struct certs_call *certs_call;
};

/* Each answers and ends the call. */
void manage_answer(struct manage_call *c, int status, struct str json);
void manage_refuse(struct manage_call *c, int status, const char *text);
void manage_fail(struct manage_call *c, enum err why); /* with the row's text */

/* The text member of the body; STR_NONE: not there, or no text. */
struct str manage_text(const struct manage_call *c, const char *name);

void manage_status(struct manage_call *c);
void manage_certificate_list(struct manage_call *c);
void manage_certificate_add(struct manage_call *c);
void manage_certificate_remove(struct manage_call *c);
void manage_client_list(struct manage_call *c);
void manage_client_show(struct manage_call *c);
void manage_client_add(struct manage_call *c);
void manage_client_rotate(struct manage_call *c);
void manage_client_revoke(struct manage_call *c);

#endif
