/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/connect_fakes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/net/connector.h"
#include "lib/net/minter.h"

struct tunnel_around tunnels;
static char client, remote, splice;

struct stream *
fake_remote(void)
{
	return (struct stream *)&remote;
}

static int
fake_take(struct exchange *ex, struct buf *rest)
{
	if (tunnels.fd < 0)
		return -1;
	tunnels.taken++;
	buf_init(rest, 1024);
	cr_assert(buf_put(rest, str_z(tunnels.early)));
	ex->events = NULL;
	return tunnels.fd;
}

static void
fake_abort(struct exchange *ex)
{
	around.aborted++;
}

const struct exchange_ops fake_connect = { .take = fake_take, .abort = fake_abort };

void
worker_look_drained(struct worker *w)
{
	tunnels.looked++;
}

/* --- TLS ended here --- */

SSL *
mint_accept(struct mint *m, const char *host)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl = tunnels.no_mint ? NULL : SSL_new(ctx);

	snprintf(tunnels.minted, sizeof(tunnels.minted), "%s", host);
	SSL_CTX_free(ctx);
	return ssl;
}

enum mint_fault
mint_fault(const SSL *ssl)
{
	return tunnels.fault;
}

SSL *
stream_ssl(const struct stream *s)
{
	return NULL;
}

bool
http_server_adopt(struct http_server *s, int fd, struct str early, SSL *ssl, const char *peer, void *listener, void *ticket)
{
	tunnels.adopted++;
	snprintf(tunnels.adopted_early, sizeof(tunnels.adopted_early), STR_FMT, STR_ARG(early));
	tunnels.listener = listener;
	SSL_free(ssl);
	close(fd);
	return true;
}

void
http_server_leave(struct http_server *s, const void *listener)
{
	tunnels.left = listener;
}

/* --- bytes as they are --- */

const struct connector_target *
remote_target(const struct remote *m)
{
	return NULL;
}

void
remote_count(enum err why)
{
	tunnels.counted = why;
}

struct connector *
connector_start(struct loop *loop, const struct connector_target *to,
    void (*fn)(void *arg, struct stream *s, enum err why), void *arg)
{
	tunnels.on_connected = fn;
	tunnels.connect_arg = arg;
	return (struct connector *)&tunnels;
}

void
connector_cancel(struct connector *c)
{
	if (c != NULL)
		tunnels.on_connected = NULL;
}

struct stream *
stream_new(struct loop *loop, int fd, SSL *ssl, bool connecting, stream_fn *fn, void *arg)
{
	close(fd);
	return (struct stream *)&client;
}

void
stream_close(struct stream *s)
{
	tunnels.closed++;
}

struct splice *
splice_start(struct loop *loop, struct stream *c, struct stream *r, const struct splice_config *cfg,
    void (*fn)(void *arg, enum err why), void *arg)
{
	if (tunnels.no_splice)
		return NULL;
	cr_assert_eq(r, fake_remote());
	snprintf(tunnels.to_client, sizeof(tunnels.to_client), STR_FMT, STR_ARG(cfg->to_client));
	snprintf(tunnels.to_remote, sizeof(tunnels.to_remote), STR_FMT, STR_ARG(cfg->to_remote));
	tunnels.on_spliced = fn;
	tunnels.splice_arg = arg;
	return (struct splice *)&splice;
}

void
splice_cancel(struct splice *s)
{
	cr_assert_eq(s, (struct splice *)&splice);
	tunnels.on_spliced = NULL;
}

struct splice_bytes
splice_bytes(const struct splice *s)
{
	return tunnels.bytes;
}
