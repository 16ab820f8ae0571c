/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/password.h"

#include <stdlib.h>

#include "lib/net/errand.h"
#include "regsvc/series.h"

struct password {
	struct loop *loop;
	struct clients_conf conf;
	struct list waiting, running;
	size_t n_waiting, n_running;
	char nobody[CLIENT_PROOF_MAX];  /* a hash of a secret that was thrown away */
	struct password_job *preparing; /* makes it */
};

/* A cancelled one that runs goes on to its end: nothing can stop it. */
struct password_job {
	struct list node;
	struct password *password;
	struct errand *errand;
	bool cancelled, running, good, verify;
	size_t memory;
	unsigned long long passes;
	size_t secret_n;
	char secret[PASSWORD_MAX];
	char hashes[2][CLIENT_PROOF_MAX]; /* verify: both; else the first is the result */
	void (*verified)(void *arg, bool good);
	void (*hashed)(void *arg, const char *hash);
	void *arg;
};

/* --- on the errand's thread --- */

static void
work(void *arg)
{
	struct password_job *j = arg;

	if (!j->verify) {
		j->good = crypto_pwhash_str_alg(j->hashes[0], j->secret, j->secret_n, j->passes,
			      j->memory, crypto_pwhash_ALG_ARGON2ID13) == 0;
		return;
	}
	for (size_t i = 0; i < 2 && !j->good; i++)
		j->good = crypto_pwhash_str_verify(j->hashes[i], j->secret, j->secret_n) == 0;
}

/* --- the queue --- */

static void
job_free(struct password_job *j)
{
	sodium_memzero(j, sizeof(*j));
	free(j);
}

static void pump(struct password *p);

static void
tell(struct password_job *j)
{
	if (j->cancelled)
		return;
	if (j->verify)
		j->verified(j->arg, j->good);
	else
		j->hashed(j->arg, j->good ? j->hashes[0] : NULL);
}

static void
on_done(void *arg)
{
	struct password_job *j = arg;
	struct password *p = j->password;

	list_remove(&j->node);
	p->n_running--;
	pump(p);
	metrics_set(S_PASSWORDS_WAITING, (int64_t)p->n_waiting);
	tell(j); /* last: it may do anything, password_free() too */
	job_free(j);
}

/* Starts what may run; what finds no thread now waits for the next one that ends. */
static void
pump(struct password *p)
{
	while (p->n_running < p->conf.password_threads && !list_empty(&p->waiting)) {
		struct password_job *j =
		    LIST_ENTRY(list_first(&p->waiting), struct password_job, node);

		j->errand = errand_start(p->loop, "password", work, on_done, j);
		if (j->errand == NULL)
			return;
		list_remove(&j->node);
		p->n_waiting--;
		list_append(&p->running, &j->node);
		j->running = true;
		p->n_running++;
	}
}

static struct password_job *
job_new(struct password *p, struct str secret, void *arg, enum err *why)
{
	struct password_job *j;

	if (p->n_waiting >= p->conf.password_queue) {
		*why = ERR_OVERLOAD;
		metrics_inc(S_PASSWORDS_REFUSED);
		return NULL;
	}
	j = calloc(1, sizeof(*j));
	*why = ERR_MEMORY;
	if (j == NULL)
		return NULL;
	j->password = p;
	j->memory = p->conf.password_memory;
	j->passes = p->conf.password_passes;
	j->secret_n = secret.n;
	j->arg = arg;
	str_put(j->secret, secret);
	return j;
}

static struct password_job *
enqueue(struct password *p, struct password_job *j)
{
	list_append(&p->waiting, &j->node);
	p->n_waiting++;
	pump(p);
	metrics_set(S_PASSWORDS_WAITING, (int64_t)p->n_waiting);
	if (p->n_running > 0)
		return j;
	password_cancel(j); /* no thread at all: nobody would ever start it */
	return NULL;
}

static void
set_hash(const struct password *p, char out[CLIENT_PROOF_MAX], const char *hash)
{
	str_put(out, str_z(hash != NULL && hash[0] != '\0' ? hash : p->nobody));
}

struct password_job *
password_verify(struct password *p, struct str secret, const char *current, const char *previous,
    void (*fn)(void *arg, bool good), void *arg, enum err *why)
{
	bool fits = secret.n <= PASSWORD_MAX;
	struct password_job *j = job_new(p, fits ? secret : STR("x"), arg, why);

	if (j == NULL)
		return NULL;
	j->verify = true;
	j->verified = fn;
	set_hash(p, j->hashes[0], fits ? current : NULL);
	set_hash(p, j->hashes[1], fits ? previous : NULL);
	metrics_inc(S_PASSWORDS_VERIFIED);
	return enqueue(p, j);
}

struct password_job *
password_hash(struct password *p, struct str secret, void (*fn)(void *arg, const char *hash),
    void *arg, enum err *why)
{
	struct password_job *j = job_new(
	    p, str_of(secret.p, secret.n < PASSWORD_MAX ? secret.n : PASSWORD_MAX), arg, why);

	if (j == NULL)
		return NULL;
	j->hashed = fn;
	return enqueue(p, j);
}

bool
password_cancel(struct password_job *j)
{
	if (j == NULL)
		return false;
	j->cancelled = true;
	if (j->running)
		return true;
	list_remove(&j->node);
	j->password->n_waiting--;
	job_free(j);
	return false;
}

/* --- life --- */

static void
on_nobody(void *arg, const char *hash)
{
	struct password *p = arg;

	p->preparing = NULL;
	if (hash != NULL)
		str_put(p->nobody, str_of(hash, strlen(hash) + 1));
}

static void
prepare(struct password *p)
{
	char thrown_away[32];
	enum err why;

	password_cancel(p->preparing);
	randombytes_buf(thrown_away, sizeof(thrown_away));
	p->preparing =
	    password_hash(p, str_of(thrown_away, sizeof(thrown_away)), on_nobody, p, &why);
	sodium_memzero(thrown_away, sizeof(thrown_away));
}

struct password *
password_new(struct loop *loop, const struct clients_conf *conf)
{
	struct password *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->conf = *conf;
	list_init(&p->waiting);
	list_init(&p->running);
	prepare(p);
	return p;
}

void
password_adopt(struct password *p, const struct clients_conf *conf)
{
	bool changed = p->conf.password_memory != conf->password_memory ||
		       p->conf.password_passes != conf->password_passes;

	p->conf = *conf;
	if (changed)
		prepare(p);
	pump(p);
}

void
password_free(struct password *p)
{
	if (p == NULL)
		return;
	LIST_FOR(node, &p->waiting)
		password_cancel(LIST_ENTRY(node, struct password_job, node));
	LIST_FOR(node, &p->running) {
		struct password_job *j = LIST_ENTRY(node, struct password_job, node);

		errand_cancel(j->errand);
		job_free(j);
	}
	free(p);
}
