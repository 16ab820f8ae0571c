/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/connlab.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <unistd.h>

#include "lib/net/tlsclient.h"

struct connlab connlab;
static int descriptors; /* open before the test */

static int
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

void
connlab_setup(void)
{
	connlab.loop = loop_new(NULL);
	lab_turn(connlab.loop);
	descriptors = count_descriptors();
	connlab.peer.listener = connlab.far.fd = -1;
	connlab.to = (struct connector_target){ .at = connlab.at,
		.n = 1,
		.tls_name = "a.example.org",
		.attempt_delay = 100,
		.timeout = 20000 };
}

void
connlab_teardown(void)
{
	stream_close(connlab.s);
	lab_turn(connlab.loop);
	SSL_CTX_free(connlab.to.tls);
	lab_close(&connlab.far);
	tlspeer_close(&connlab.peer);
	cr_assert_eq(count_descriptors(), descriptors, "a socket was left open");
	loop_free(connlab.loop);
}

void
connlab_open_peer(const struct tlscert *want)
{
	tlspeer_open(&connlab.peer, want);
	connlab.at[0] = connlab.peer.at;
	connlab.to.tls = tlsclient_context(connlab.peer.anchors);
	cr_assert_not_null(connlab.to.tls);
}

static void
on_stream(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

static void
on_connected(void *arg, struct stream *s, enum err why)
{
	(void)arg;
	connlab.calls++;
	connlab.s = s;
	connlab.why = why;
	if (s != NULL)
		stream_own(s, on_stream, NULL);
}

struct connector *
connlab_begin(void)
{
	return connector_start(connlab.loop, &connlab.to, on_connected, NULL);
}

struct connector *
connlab_start(void)
{
	struct connector *c = connlab_begin();

	cr_assert_not_null(c);
	cr_assert_eq(connlab.calls, 0, "called from within connector_start()");
	return c;
}

void
connlab_run(void)
{
	(void)connlab_start();
	UNTIL(connlab.loop, tlspeer_accepted(&connlab.peer, &connlab.far));
	UNTIL(connlab.loop, (lab_read(&connlab.far), connlab.calls == 1));
}

void
connlab_expect_open(void)
{
	cr_assert_eq(connlab.why, OK);
	cr_assert_not_null(connlab.s);
	cr_assert_eq(stream_write(connlab.s, STR("ping")), 4);
	UNTIL(connlab.loop, lab_got(&connlab.far, "ping"));
}

void
connlab_expect_refused(enum err why)
{
	cr_assert_eq(connlab.why, why, "%s", err_rows[connlab.why].name);
	cr_assert_null(connlab.s);
	UNTIL(connlab.loop, lab_ended(&connlab.far));
	cr_assert_eq(connlab.far.n, 0);
}

struct address
connlab_refusing(void)
{
	unsigned short port;

	close(lab_listen(&port));
	return tlspeer_loopback(port);
}
