/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* An absolute path, or '@' and a name in the abstract namespace. */
static bool
parse(const char *path, struct sockaddr_un *a, socklen_t *len)
{
	size_t n = path != NULL ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(a->sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->sun_path, path, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (path[0] == '@')
		a->sun_path[0] = '\0';
	else
		*len += 1;
	return true;
}

bool
notify_send(const char *format, ...)
{
	struct sockaddr_un a;
	socklen_t len;
	char text[512];
	va_list args;
	ssize_t sent;
	int fd, n;

	if (!parse(getenv("NOTIFY_SOCKET"), &a, &len))
		return false;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	sent = sendto(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a, len);
	close(fd);
	return sent == n;
}

void
notify_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	(void)notify_send(
	    "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

static unsigned long long
number(const char *name)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

clock_ms
notify_watchdog(void)
{
	unsigned long long pid = number("WATCHDOG_PID");

	if (pid != 0 && pid != (unsigned long long)getpid())
		return 0; /* meant for another process */
	return (clock_ms)(number("WATCHDOG_USEC") / 1000);
}
