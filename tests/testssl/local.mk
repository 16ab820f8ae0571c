# SPDX-License-Identifier: Apache-2.0
# `make check-testssl` takes one to two minutes and needs testssl.sh; it is no part of `make check`.
EXTRA_DIST += tests/testssl/run

check-testssl: schleuse-proxy$(EXEEXT)
	SCHLEUSE_BUILD='$(abs_builddir)' $(PYTHON3) $(srcdir)/tests/testssl/run
.PHONY: check-testssl
