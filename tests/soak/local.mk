# SPDX-License-Identifier: Apache-2.0
# Mixed traffic for SOAK_MINUTES; no part of `make check`, for it takes its time.
soak: schleuse-proxy$(EXEEXT)
	SCHLEUSE_BUILD='$(abs_builddir)' $(PYTHON3) '$(abs_srcdir)/tests/soak/run' --minutes "$${SOAK_MINUTES:-10}"
.PHONY: soak
EXTRA_DIST += tests/soak/backend.py tests/soak/others.py tests/soak/outward.py tests/soak/remotes.py
EXTRA_DIST += tests/soak/run tests/soak/traffic.py
