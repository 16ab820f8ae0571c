# SPDX-License-Identifier: Apache-2.0
# `make bench` measures beside nginx and HAProxy; it is no part of `make check`.
EXTRA_PROGRAMS = bench/backend
bench_backend_SOURCES = bench/backend.c
EXTRA_DIST += bench/run bench/proxies.py bench/signed.py bench/wrk.lua
CLEANFILES += bench/backend$(EXEEXT)

bench: schleuse-proxy$(EXEEXT) bench/backend$(EXEEXT)
	$(PYTHON3) $(srcdir)/bench/run --build .
.PHONY: bench
