# SPDX-License-Identifier: Apache-2.0
# Real Synapse servers and a real client; no part of `make check`, for it downloads and wants root or sudo.
check-interop: schleuse-proxy$(EXEEXT) schleuse-pushgw$(EXEEXT)
	SCHLEUSE_BUILD='$(abs_builddir)' PYTHON3='$(PYTHON3)' '$(abs_srcdir)/tests/interop/run'
.PHONY: check-interop
EXTRA_DIST += \
	tests/interop/bootstrap-js \
	tests/interop/bootstrap-synapse \
	tests/interop/conftest.py \
	tests/interop/federation.py \
	tests/interop/js/package-lock.json \
	tests/interop/js/package.json \
	tests/interop/js/person.mjs \
	tests/interop/netns.py \
	tests/interop/outlet.py \
	tests/interop/peers.py \
	tests/interop/person.py \
	tests/interop/run \
	tests/interop/settings.py \
	tests/interop/synapse.py \
	tests/interop/test_client.py \
	tests/interop/test_invites.py \
	tests/interop/test_javascript.py \
	tests/interop/test_members.py \
	tests/interop/test_outbound.py \
	tests/interop/test_push.py \
	tests/interop/test_restarts.py \
	tests/interop/test_rooms.py \
	tests/interop/test_sample.py
