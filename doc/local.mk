# SPDX-License-Identifier: Apache-2.0
# Texts and sample files; nothing is put where an operator's own files are.
dist_doc_DATA = README.md NEWS LICENSE SECURITY.md CONTRIBUTING.md \
	doc/architecture.md doc/conformance.md doc/dependencies.md doc/deviations.md \
	doc/http.md doc/operations.md doc/performance.md doc/security.md doc/synapse.md \
	doc/regsvc-openapi.yaml
dist_examples_DATA += etc/proxy.yaml etc/proxy-minimal.yaml
dist_examplessynapse_DATA = etc/synapse/confined.conf etc/synapse/homeserver.yaml \
	etc/synapse/homeserver-connect.yaml etc/synapse/log.yaml
dist_examples_DATA += etc/pushgw.yaml etc/pushgw-minimal.yaml
dist_examples_DATA += etc/regsvc.yaml etc/regsvc-minimal.yaml etc/redis-acl.conf
EXTRA_DIST += doc/reasons.py
