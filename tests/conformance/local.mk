# SPDX-License-Identifier: Apache-2.0
# The HTTP cases as data and what plays them; tests/integration/test_conformance.py does it in `make check`.
EXTRA_DIST += \
	tests/conformance/__init__.py \
	tests/conformance/backend.py \
	tests/conformance/cases \
	tests/conformance/cases.py \
	tests/conformance/client.py \
	tests/conformance/compare \
	tests/conformance/page.py \
	tests/conformance/play.py \
	tests/conformance/proxies.py
