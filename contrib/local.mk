# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += contrib/steps.sh
EXTRA_DIST += contrib/systemd/schleuse-proxy.service.in
EXTRA_DIST += contrib/systemd/schleuse-regsvc.service.in
EXTRA_DIST += contrib/systemd/schleuse-pushgw.service.in
EXTRA_DIST += contrib/systemd/schleuse-proxy.socket

# To be copied, not used from here: samples, beside those of etc/.
dist_examples_DATA += contrib/redis/redis.conf
dist_examples_DATA += contrib/prometheus/schleuse.rules.yaml
dist_examples_DATA += contrib/grafana/schleuse-pushgw.json

systemdsystemunit_DATA = contrib/systemd/schleuse-proxy.service \
	contrib/systemd/schleuse-regsvc.service \
	contrib/systemd/schleuse-pushgw.service \
	contrib/systemd/schleuse-proxy.socket
CLEANFILES += contrib/systemd/schleuse-proxy.service contrib/systemd/schleuse-regsvc.service \
	contrib/systemd/schleuse-pushgw.service
UNIT = $(MKDIR_P) contrib/systemd; sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g'
contrib/systemd/schleuse-proxy.service: contrib/systemd/schleuse-proxy.service.in Makefile
	$(AM_V_GEN)$(UNIT) $(srcdir)/contrib/systemd/schleuse-proxy.service.in >$@.tmp && mv $@.tmp $@
contrib/systemd/schleuse-regsvc.service: contrib/systemd/schleuse-regsvc.service.in Makefile
	$(AM_V_GEN)$(UNIT) $(srcdir)/contrib/systemd/schleuse-regsvc.service.in >$@.tmp && mv $@.tmp $@
contrib/systemd/schleuse-pushgw.service: contrib/systemd/schleuse-pushgw.service.in Makefile
	$(AM_V_GEN)$(UNIT) $(srcdir)/contrib/systemd/schleuse-pushgw.service.in >$@.tmp && mv $@.tmp $@
