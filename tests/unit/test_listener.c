/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/net/listener.h"
#include "tests/unit/lab.h"

static struct loop *loop;
static struct listener *listener;
static int socket_fd;
static struct sockaddr_storage address;
static socklen_t address_len = sizeof(address);
static int accepted;

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	(void)arg;
	(void)len;
	cr_assert_eq(peer->sa_family, address.ss_family);
	accepted++;
	close(fd);
}

static int
dial(void)
{
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, address_len), 0);
	return fd;
}

static void
open_listener(int fd)
{
	cr_assert_geq(fd, 0, "%s", strerror(errno));
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &address_len), 0);
	loop = loop_new(NULL);
	socket_fd = fd;
	listener = listener_new(loop, fd, on_accept, NULL);
	cr_assert_not_null(listener);
	log_threshold = LOG_ERROR;
}

static void
teardown(void)
{
	listener_free(listener);
	close(socket_fd);
	loop_free(loop);
}

TestSuite(listener, .fini = teardown);

Test(listener, accepts_on_every_kind_of_address)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/tmp/listener-%d.sock", (int)getpid());
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? listener_bind(NULL, "127.0.0.1", 0)
		    : i == 1 ? listener_bind(path, NULL, 0)
			     : listener_bind(path, NULL, 0); /* over a stale file */

		accepted = 0;
		address_len = sizeof(address);
		open_listener(fd);
		cr_assert_eq(strncmp(listener_address(fd, text, sizeof(text)), i == 0 ? "127.0.0.1:" : "unix:/", 6), 0);
		fd = dial();
		UNTIL(loop, accepted == 1);
		close(fd);
		teardown();
	}
	unlink(path);
	open_listener(listener_bind(NULL, "127.0.0.1", 0));
}

Test(listener, refuses_what_is_no_address)
{
	char path[200];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_assert_eq(listener_bind(NULL, "localhost", 0), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(listener_bind(path, NULL, 0), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
	open_listener(listener_bind(NULL, "127.0.0.1", 0));
}

Test(listener, gives_a_unix_socket_its_mode_and_replaces_nothing_else)
{
	char folder[] = "/tmp/schleuse-listener.XXXXXX", path[64];
	mode_t mask = umask(0077);
	struct stat s;
	FILE *f;
	int fd, again;

	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/s", folder);
	cr_assert_not(listener_taken_unix(path));
	fd = listener_bind_unix(path, 0666);
	umask(mask);
	cr_assert_geq(fd, 0, "%s", strerror(errno));
	cr_assert_eq(stat(path, &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0666);
	cr_assert(listener_taken_unix(path));
	close(fd);
	cr_assert_not(listener_taken_unix(path), "the file of a process that is gone");
	again = listener_bind_unix(path, 0600);
	cr_assert_geq(again, 0);
	close(again);
	unlink(path);
	f = fopen(path, "w");
	cr_assert(f != NULL);
	fclose(f);
	cr_assert_not(listener_taken_unix(path));
	cr_assert_eq(listener_bind_unix(path, 0600), -1);
	cr_assert_eq(errno, EEXIST);
	unlink(path);
	rmdir(folder);
}

Test(listener, pauses_when_descriptors_run_out_and_goes_on)
{
	struct rlimit old, none;
	int fds[3], turns = 0;

	open_listener(listener_bind(NULL, "127.0.0.1", 0));
	for (int i = 0; i < 3; i++)
		fds[i] = dial();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)fds[2] + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (; turns < 200; turns++)
		lab_turn(loop);
	cr_assert_eq(accepted, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	UNTIL(loop, accepted == 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

Test(listener, pauses_when_told_to)
{
	int fd;

	open_listener(listener_bind(NULL, "127.0.0.1", 0));
	listener_pause(listener);
	listener_pause(listener);
	fd = dial();
	for (int i = 0; i < 50; i++)
		lab_turn(loop);
	cr_assert_eq(accepted, 0);
	listener_resume(listener);
	listener_resume(listener);
	UNTIL(loop, accepted == 1);
	close(fd);
}

/* One handshake is over and waits in the queue, another one begins too late. */
Test(listener, refuses_new_ones_and_takes_what_waits)
{
	int queued, late;

	open_listener(listener_bind(NULL, "127.0.0.1", 0));
	queued = dial();
	cr_assert(listener_refuse(socket_fd, true));
	late = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(connect(late, (struct sockaddr *)&address, address_len), -1);
	cr_assert_eq(errno, EINPROGRESS);
	listener_sweep(listener);
	cr_assert_eq(accepted, 1);
	/* As if nothing had been. */
	cr_assert(listener_refuse(socket_fd, false));
	cr_assert(listener_refuse(socket_fd, false));
	UNTIL(loop, accepted == 2);
	close(queued);
	close(late);
}
