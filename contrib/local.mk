# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += contrib/steps.sh contrib/systemd/schleuse-proxy.service.in \
	contrib/systemd/schleuse-regsvc.service.in \
	contrib/systemd/schleuse-proxy.socket

systemdsystemunit_DATA = contrib/systemd/schleuse-proxy.service \
	contrib/systemd/schleuse-regsvc.service \
	contrib/systemd/schleuse-proxy.socket
CLEANFILES += contrib/systemd/schleuse-proxy.service contrib/systemd/schleuse-regsvc.service
contrib/systemd/schleuse-proxy.service: contrib/systemd/schleuse-proxy.service.in Makefile
	@$(MKDIR_P) contrib/systemd
	$(AM_V_GEN)sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/contrib/systemd/schleuse-proxy.service.in >$@.tmp && mv $@.tmp $@
contrib/systemd/schleuse-regsvc.service: contrib/systemd/schleuse-regsvc.service.in Makefile
	@$(MKDIR_P) contrib/systemd
	$(AM_V_GEN)sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/contrib/systemd/schleuse-regsvc.service.in >$@.tmp && mv $@.tmp $@
