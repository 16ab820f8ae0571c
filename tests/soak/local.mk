# SPDX-License-Identifier: Apache-2.0
# Mixed traffic for SOAK_MINUTES; no part of `make check`, for it takes its time.
SOAK_PUSH = SCHLEUSE_BUILD='$(abs_builddir)' $(PYTHON3) '$(abs_srcdir)/tests/soak/push' --minutes "$${SOAK_MINUTES:-10}"
soak: schleuse-proxy$(EXEEXT)
	SCHLEUSE_BUILD='$(abs_builddir)' $(PYTHON3) '$(abs_srcdir)/tests/soak/run' --minutes "$${SOAK_MINUTES:-10}"
soak-push: schleuse-pushgw$(EXEEXT)
	$(SOAK_PUSH) --queue journal
	$(SOAK_PUSH) --queue redis
.PHONY: soak soak-push
EXTRA_DIST += tests/soak/backend.py tests/soak/homeservers.py tests/soak/memory.py tests/soak/others.py
EXTRA_DIST += tests/soak/outward.py tests/soak/push tests/soak/remotes.py tests/soak/run tests/soak/traffic.py
EXTRA_DIST += tests/soak/vendors.py
