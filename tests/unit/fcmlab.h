/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcmlab - the provider of FCM with an app and a push, the courier played by the test.
 */
#ifndef SCHLEUSE_TESTS_FCMLAB_H
#define SCHLEUSE_TESTS_FCMLAB_H

#include "tests/unit/courier_fake.h"

#define MINUTE 60000
#define SEND_URL "https://fcm.test/v1/projects/tim-1/messages:send"
#define TOKEN_URL "https://oauth2.test/token"
#define UNAUTHENTICATED "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}"
#define GRANTED(token) \
	"{\"access_token\":\"" token "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"

extern struct fcmlab {
	struct app_conf app;
	struct provider_env env;
	struct provider *provider;
	struct told told[16];
	struct push push;
	int64_t expires;
} fcmlab;

void fcmlab_begin(void);
void fcmlab_end(void);

/* Sends the push; what comes of it will be in told[i]. */
struct attempt *fcmlab_start(size_t i);
/* Whether the i-th request was for a token, or for the push with that token. */
bool fcmlab_is_exchange(size_t i);
bool fcmlab_is_send(size_t i, const char *token);
/* The provider has the token "one" from now on; two requests were made. */
void fcmlab_have_token(void);

#endif
