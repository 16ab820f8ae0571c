# SPDX-License-Identifier: Apache-2.0
include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/integration/local.mk
EXTRA_DIST += tests/tally.py tests/lsan.supp tests/tsan.supp
include tests/conformance/local.mk
include tests/interop/local.mk
include tests/soak/local.mk
include tests/testssl/local.mk
