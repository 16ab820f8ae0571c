/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/daemon/notify.h"

static char name[64];
static int manager = -1;

static void
open_manager(const char *prefix)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(name, sizeof(name), "%snotify-%d", prefix, (int)getpid());
	memcpy(a.sun_path, name, strlen(name));
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&a,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void
expect(const char *text)
{
	char got[512] = "";

	cr_assert_geq(recv(manager, got, sizeof(got) - 1, 0), 0);
	cr_assert_str_eq(got, text);
}

static void
teardown(void)
{
	close(manager);
	if (name[0] == '/')
		unlink(name);
}

TestSuite(notify, .fini = teardown);

Test(notify, sends_to_a_path_and_to_an_abstract_name)
{
	open_manager("/tmp/");
	cr_assert(notify_send("READY=1\nSTATUS=%d workers", 3));
	expect("READY=1\nSTATUS=3 workers");
	teardown();
	open_manager("@");
	cr_assert(notify_send("STOPPING=1"));
	expect("STOPPING=1");
}

Test(notify, does_nothing_without_a_manager)
{
	unsetenv("NOTIFY_SOCKET");
	cr_assert_not(notify_send("READY=1"));
	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_assert_not(notify_send("READY=1"));
	setenv("NOTIFY_SOCKET", "/tmp/nobody-listens-here", 1);
	cr_assert_not(notify_send("READY=1"));
}

Test(notify, does_not_wait_for_a_manager_that_does_not_read)
{
	int sent = 0;

	open_manager("@");
	while (notify_send("WATCHDOG=1"))
		sent++;
	cr_assert_gt(sent, 0);
	for (; sent > 0; sent--)
		expect("WATCHDOG=1");
}

Test(notify, knows_whose_watchdog_it_is)
{
	char own[16];

	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	cr_assert_eq(notify_watchdog(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_assert_eq(notify_watchdog(), 30000);
	snprintf(own, sizeof(own), "%d", (int)getpid());
	setenv("WATCHDOG_PID", own, 1);
	cr_assert_eq(notify_watchdog(), 30000);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(notify_watchdog(), 0);
}
