/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redisd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsutil.h"
#include "tests/unit/lab.h"

#define WORDS 64
#define PORT_MIN 10000
#define PORT_END 32768

unsigned short
redisd_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (;;) {
		unsigned short port = PORT_MIN + randombytes_uniform(PORT_END - PORT_MIN);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), bound;

		a.sin_port = htons(port);
		bound = bind(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
		if (bound == 0)
			return port;
	}
}

void
redisd_init(struct redisd *d, const char *name, bool tcp)
{
	char here[4000];

	if (system("command -v redis-server >/dev/null && command -v redis-cli >/dev/null") != 0)
		cr_skip_test("redis-server or redis-cli is not installed");
	*d = (struct redisd){ 0 };
	cr_assert_not_null(getcwd(here, sizeof(here)));
	snprintf(d->dir, sizeof(d->dir), "%s/redisd-%s.XXXXXX", here, name);
	cr_assert_not_null(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%.4100s/s", d->dir);
	if (tcp)
		d->port = redisd_port();
}

static void
run(struct redisd *d, const char *const *args)
{
	char port[8];
	const char *argv[WORDS] = { "redis-server" };
	size_t n = 1;

	snprintf(port, sizeof(port), "%u", d->port);
	while (*args != NULL && **args != '-' && n < WORDS / 2) /* a configuration file */
		argv[n++] = *args++;
	argv[n++] = "--port";
	argv[n++] = port;
	argv[n++] = "--bind";
	argv[n++] = "127.0.0.1";
	argv[n++] = "--unixsocket";
	argv[n++] = d->path;
	argv[n++] = "--save";
	argv[n++] = "";
	argv[n++] = "--dir";
	argv[n++] = d->dir;
	while (*args != NULL && n < WORDS - 1)
		argv[n++] = *args++;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test crashes */
	if (freopen("/dev/null", "w", stdout) != NULL)
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

void
redisd_start(struct redisd *d, const char *const *args)
{
	static const char *const none[] = { NULL };
	const clock_ms begin = clock_now();

	fflush(NULL);
	d->pid = fork();
	if (d->pid == 0)
		run(d, args != NULL ? args : none);
	/* Any answer will do, refusals too. */
	while (access(d->path, F_OK) != 0 || *redisd_ask(d, "PING") == '\0') {
		cr_assert_lt(clock_now() - begin, LAB_PATIENCE_MS, "redis-server does not start");
		cr_assert_eq(waitpid(d->pid, NULL, WNOHANG), 0, "redis-server has ended");
		usleep(10000);
	}
}

/* A user's line with a password, every other one as it is. */
static void
write_line(FILE *f, struct str line)
{
	size_t head = line.n;

	if (str_has_prefix(line, STR("user schleuse-"))) {
		const char *on = strstr(line.p, " on ");

		cr_assert_not_null(on);
		head = (size_t)(on - line.p) + 4;
	}
	fprintf(f, STR_FMT "%s" STR_FMT "\n", STR_ARG(str_of(line.p, head)),
	    head < line.n ? ">pw " : "", STR_ARG(str_from(line, head)));
}

void
redisd_start_acl(struct redisd *d)
{
	char file[4300];
	const char *const args[] = { file, NULL };
	struct buf conf;
	struct str line, rest;
	FILE *f;

	snprintf(file, sizeof(file), "%s/conf", d->dir);
	buf_init(&conf, 1 << 16);
	cr_assert_eq(fs_read(TEST_SRCDIR "/etc/redis-acl.conf", &conf), 0);
	f = fopen(file, "w");
	for (rest = buf_str(&conf); str_cut(rest, '\n', &line, &rest);)
		write_line(f, line);
	fprintf(f, "user admin on >admin allkeys allchannels allcommands\n");
	fclose(f);
	buf_fini(&conf);
	redisd_start(d, args);
}

void
redisd_kill(struct redisd *d)
{
	int status;

	if (d->pid <= 0)
		return;
	kill(d->pid, SIGKILL);
	waitpid(d->pid, &status, 0);
	d->pid = 0;
	unlink(d->path);
}

void
redisd_fini(struct redisd *d)
{
	char command[4300];

	redisd_kill(d);
	if (*d->dir == '\0')
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", d->dir);
	cr_assert_eq(system(command), 0);
}

const char *
redisd_ask(struct redisd *d, const char *command)
{
	static char out[4096];
	char line[5000];
	FILE *f;
	size_t n;

	snprintf(line, sizeof(line), "redis-cli -s '%s' %s 2>&1", d->path, command);
	f = popen(line, "r");
	cr_assert_not_null(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	pclose(f);
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return strncmp(out, "Could not connect", 17) == 0 ? "" : out;
}
