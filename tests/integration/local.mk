# SPDX-License-Identifier: Apache-2.0
# Real daemons under pytest, with the stand-ins of tests/sim around them.
TESTS += tests/integration/run
EXTRA_DIST += tests/integration/run $(INTEGRATION_TESTS) $(SIM_MODULES)
AM_TESTS_ENVIRONMENT = SCHLEUSE_BUILD='$(abs_builddir)'; PYTHON3='$(PYTHON3)'; \
	export SCHLEUSE_BUILD PYTHON3;
