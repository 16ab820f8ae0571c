# SPDX-License-Identifier: Apache-2.0
# Real daemons under pytest, with the stand-ins of tests/sim around them.
TESTS += tests/integration/run
AM_TESTS_ENVIRONMENT = SCHLEUSE_BUILD='$(abs_builddir)'; PYTHON3='$(PYTHON3)'; \
	export SCHLEUSE_BUILD PYTHON3;
EXTRA_DIST += \
	tests/integration/run \
	tests/integration/conftest.py \
	tests/integration/harness.py \
	tests/integration/load.py \
	tests/integration/test_certificates.py \
	tests/integration/test_check_config.py \
	tests/integration/test_connections.py \
	tests/integration/test_conformance.py \
	tests/integration/test_control.py \
	tests/integration/test_discovery.py \
	tests/integration/test_displaynames.py \
	tests/integration/test_errors.py \
	tests/integration/test_fedlist.py \
	tests/integration/test_fedlist_url.py \
	tests/integration/test_handover.py \
	tests/integration/test_h2.py \
	tests/integration/test_h2_floods.py \
	tests/integration/test_h2_flow.py \
	tests/integration/test_h2_refused.py \
	tests/integration/test_h1_differ.py \
	tests/integration/test_http_answers.py \
	tests/integration/test_http_forwarded.py \
	tests/integration/test_http_refused.py \
	tests/integration/test_invites.py \
	tests/integration/test_invites_elsewhere.py \
	tests/integration/test_keys.py \
	tests/integration/test_membership.py \
	tests/integration/test_proxyproto.py \
	tests/integration/test_rates.py \
	tests/integration/test_privacy.py \
	tests/integration/test_reload.py \
	tests/integration/test_routes.py \
	tests/integration/test_service.py \
	tests/integration/test_ocsp.py \
	tests/integration/test_relay.py \
	tests/integration/test_routes.py \
	tests/integration/test_slow.py \
	tests/integration/test_stress.py \
	tests/integration/test_tenants.py \
	tests/integration/test_tickets.py \
	tests/integration/test_tls.py \
	tests/integration/test_unauthenticated.py \
	tests/integration/test_wellknown.py \
	tests/integration/test_upstreams.py \
	tests/integration/test_xmatrix.py \
	tests/sim/__init__.py \
	tests/sim/b64.py \
	tests/sim/background.py \
	tests/sim/dns.py \
	tests/sim/fedlist.py \
	tests/sim/h2wire.py \
	tests/sim/homeserver.py \
	tests/sim/keyserver.py \
	tests/sim/ocsp.py \
	tests/sim/passport.py \
	tests/sim/pki.py \
	tests/sim/rawserver.py \
	tests/sim/redisd.py \
	tests/sim/wire.py \
	tests/sim/xmatrix.py
