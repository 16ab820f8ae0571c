# SPDX-License-Identifier: Apache-2.0
# `make bench` measures beside nginx and HAProxy; `make check` only builds its programs and tests that
# they count rightly.
BENCH_TARGETS = bench/backend bench/clients/fedlist bench/clients/handshakes bench/clients/idle \
	bench/clients/outbound bench/clients/pushqueue bench/clients/transfers bench/clients/tunnels bench/clients/verify
check_PROGRAMS += $(BENCH_TARGETS)
BENCH_CLIENT = bench/clients/client.c bench/clients/client.h

bench_backend_SOURCES = bench/backend.c
bench_clients_fedlist_SOURCES = bench/clients/fedlist.c $(BENCH_CLIENT)
bench_clients_fedlist_LDADD = libschleuse.a $(DEPS_LIBS)
bench_clients_handshakes_SOURCES = bench/clients/handshakes.c $(BENCH_CLIENT)
bench_clients_handshakes_LDADD = $(DEPS_LIBS)
bench_clients_idle_SOURCES = bench/clients/idle.c $(BENCH_CLIENT)
bench_clients_idle_LDADD = $(DEPS_LIBS)
bench_clients_outbound_SOURCES = bench/clients/outbound.c $(BENCH_CLIENT)
bench_clients_outbound_LDADD = $(DEPS_LIBS)
bench_clients_pushqueue_SOURCES = bench/clients/pushqueue.c
bench_clients_pushqueue_LDADD = libpushgw.a libschleuse.a $(DEPS_LIBS)
bench_clients_transfers_SOURCES = bench/clients/transfers.c $(BENCH_CLIENT)
bench_clients_transfers_LDADD = $(DEPS_LIBS)
bench_clients_tunnels_SOURCES = bench/clients/tunnels.c $(BENCH_CLIENT)
bench_clients_tunnels_LDADD = $(DEPS_LIBS)
bench_clients_verify_SOURCES = bench/clients/verify.c $(BENCH_CLIENT)
bench_clients_verify_LDADD = $(DEPS_LIBS)

EXTRA_DIST += bench/push bench/push.lua bench/regsvc bench/run bench/wrk.lua
EXTRA_DIST += bench/daemons.py
EXTRA_DIST += bench/listing.py
EXTRA_DIST += bench/loads.py
EXTRA_DIST += bench/machine.py
EXTRA_DIST += bench/outbound.py
EXTRA_DIST += bench/plot.py
EXTRA_DIST += bench/proxies.py
EXTRA_DIST += bench/report.py
EXTRA_DIST += bench/rounds.py
EXTRA_DIST += bench/signed.py
EXTRA_DIST += bench/stage.py
EXTRA_DIST += bench/works/__init__.py
EXTRA_DIST += bench/works/federation.py
EXTRA_DIST += bench/works/handshakes.py
EXTRA_DIST += bench/works/idle.py
EXTRA_DIST += bench/works/outbound.py
EXTRA_DIST += bench/works/policy.py
EXTRA_DIST += bench/works/put.py
EXTRA_DIST += bench/works/scale.py
EXTRA_DIST += bench/works/small.py
EXTRA_DIST += bench/works/transfers.py
EXTRA_DIST += bench/works/tunnels.py

bench: schleuse-proxy$(EXEEXT) $(BENCH_TARGETS)
	$(PYTHON3) $(srcdir)/bench/run --build .

# How many proxies a registration service serves; judges nothing.
bench-regsvc: schleuse-regsvc$(EXEEXT) schleusectl$(EXEEXT)
	$(PYTHON3) $(srcdir)/bench/regsvc --build .

# What a push gateway takes, delivers and holds; judges nothing.
bench-push: schleuse-pushgw$(EXEEXT)
	$(PYTHON3) $(srcdir)/bench/push --build .
.PHONY: bench bench-regsvc bench-push
