# SPDX-License-Identifier: Apache-2.0
# Fuzz targets.  One target is one tests/fuzz/fuzz_<x>.c with LLVMFuzzerTestOneInput() and at least one
# seed file in tests/fuzz/corpus/<x>/.  To add one, append these three lines at the end of this file:
#
#	FUZZ_TARGETS += tests/fuzz/fuzz_<x>
#	tests_fuzz_fuzz_<x>_SOURCES = tests/fuzz/fuzz_<x>.c $(FUZZ_MAIN)
#	tests_fuzz_fuzz_<x>_LDADD = $(FUZZ_LIBS)
#
# Everywhere `make check` runs each target over its corpus (replay.c finds the folder by the program's
# name).  With `--enable-fuzzing CC=clang` the targets are libFuzzer programs, and `make fuzz
# FUZZ_SECONDS=30` lets each of them search for so long; what it finds stays in the build folder's
# fuzz/<x>/ (inputs that reach new code) and fuzz/<x>-* (inputs that crash).
FUZZ_TARGETS =
FUZZ_SECONDS = 60
FUZZ_LIBS = libproxy.a libschleuse.a $(DEPS_LIBS) $(FUZZ_ENGINE)
FUZZ_RUN = set -e; for target in $(FUZZ_TARGETS); do \
	x=`expr $$target : '.*/fuzz_\(.*\)'`; seeds=$(srcdir)/tests/fuzz/corpus/$$x; echo "fuzz $$x";
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus

if FUZZING
FUZZ_MAIN =
check-local: $(FUZZ_TARGETS)
	@$(FUZZ_RUN) $$target -runs=0 $$seeds; done
fuzz: $(FUZZ_TARGETS)
	@$(FUZZ_RUN) $(MKDIR_P) fuzz/$$x; \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
			-print_final_stats=1 -artifact_prefix=fuzz/$$x- fuzz/$$x $$seeds; done
else
FUZZ_MAIN = tests/fuzz/replay.c
TESTS += $(FUZZ_TARGETS)
fuzz:
	@echo "make fuzz needs a build configured with --enable-fuzzing CC=clang"; exit 1
endif
.PHONY: fuzz

FUZZ_TARGETS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_h1
tests_fuzz_fuzz_h1_SOURCES = tests/fuzz/fuzz_h1.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h1_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_h1_proxy
tests_fuzz_fuzz_h1_proxy_SOURCES = tests/fuzz/fuzz_h1_proxy.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h1_proxy_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_canonical
tests_fuzz_fuzz_canonical_SOURCES = tests/fuzz/fuzz_canonical.c \
	tests/fuzz/jansson_view.c tests/fuzz/jansson_view.h $(FUZZ_MAIN)
tests_fuzz_fuzz_canonical_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_xmatrix
tests_fuzz_fuzz_xmatrix_SOURCES = tests/fuzz/fuzz_xmatrix.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xmatrix_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_jws
tests_fuzz_fuzz_jws_SOURCES = tests/fuzz/fuzz_jws.c $(FUZZ_MAIN)
tests_fuzz_fuzz_jws_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_fedlist
tests_fuzz_fuzz_fedlist_SOURCES = tests/fuzz/fuzz_fedlist.c $(FUZZ_MAIN)
tests_fuzz_fuzz_fedlist_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_passport
tests_fuzz_fuzz_passport_SOURCES = tests/fuzz/fuzz_passport.c tests/unit/pki.c tests/unit/pki.h $(FUZZ_MAIN)
tests_fuzz_fuzz_passport_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_serverkeys
tests_fuzz_fuzz_serverkeys_SOURCES = tests/fuzz/fuzz_serverkeys.c $(FUZZ_MAIN)
tests_fuzz_fuzz_serverkeys_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_proxyproto
tests_fuzz_fuzz_proxyproto_SOURCES = tests/fuzz/fuzz_proxyproto.c $(FUZZ_MAIN)
tests_fuzz_fuzz_proxyproto_LDADD = $(FUZZ_LIBS)
# Not a target: what differ.py (run by tests/integration/test_h1_differ.py) compares other parsers with.
check_PROGRAMS += tests/fuzz/h1_frames
tests_fuzz_h1_frames_SOURCES = tests/fuzz/h1_frames.c
tests_fuzz_h1_frames_LDADD = libschleuse.a $(DEPS_LIBS)
EXTRA_DIST += tests/fuzz/differ.py tests/fuzz/h1_inputs.py

FUZZ_TARGETS += tests/fuzz/fuzz_h2_head
tests_fuzz_fuzz_h2_head_SOURCES = tests/fuzz/fuzz_h2_head.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h2_head_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_store_record
tests_fuzz_fuzz_store_record_SOURCES = tests/fuzz/fuzz_store_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_store_record_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_roots
tests_fuzz_fuzz_roots_SOURCES = tests/fuzz/fuzz_roots.c tests/unit/pki.c tests/unit/pki.h $(FUZZ_MAIN)
tests_fuzz_fuzz_roots_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_ocsp
tests_fuzz_fuzz_ocsp_SOURCES = tests/fuzz/fuzz_ocsp.c tests/unit/pki.c tests/unit/pki.h $(FUZZ_MAIN)
tests_fuzz_fuzz_ocsp_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_credentials
tests_fuzz_fuzz_credentials_SOURCES = tests/fuzz/fuzz_credentials.c $(FUZZ_MAIN)
tests_fuzz_fuzz_credentials_LDADD = libregsvc.a $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_vzd
tests_fuzz_fuzz_vzd_SOURCES = tests/fuzz/fuzz_vzd.c $(FUZZ_MAIN)
tests_fuzz_fuzz_vzd_LDADD = libregsvc.a $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_minter
tests_fuzz_fuzz_minter_SOURCES = tests/fuzz/fuzz_minter.c $(FUZZ_MAIN)
tests_fuzz_fuzz_minter_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_events
tests_fuzz_fuzz_events_SOURCES = tests/fuzz/fuzz_events.c $(FUZZ_MAIN)
tests_fuzz_fuzz_events_LDADD = $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_delegation
tests_fuzz_fuzz_delegation_SOURCES = tests/fuzz/fuzz_delegation.c $(FUZZ_MAIN)
tests_fuzz_fuzz_delegation_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_dnsanswer
tests_fuzz_fuzz_dnsanswer_SOURCES = tests/fuzz/fuzz_dnsanswer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dnsanswer_LDADD = $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_push_record
tests_fuzz_fuzz_push_record_SOURCES = tests/fuzz/fuzz_push_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_push_record_LDADD = libpushgw.a $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_notify
tests_fuzz_fuzz_notify_SOURCES = tests/fuzz/fuzz_notify.c tests/fuzz/jansson_view.c tests/fuzz/jansson_view.h \
	tests/fuzz/notify_view.c tests/fuzz/notify_view.h $(FUZZ_MAIN)
tests_fuzz_fuzz_notify_LDADD = libpushgw.a $(FUZZ_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_endpoint
tests_fuzz_fuzz_endpoint_SOURCES = tests/fuzz/fuzz_endpoint.c tests/fuzz/jansson_view.c tests/fuzz/jansson_view.h \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_endpoint_LDADD = libpushgw.a $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_push_journal
tests_fuzz_fuzz_push_journal_SOURCES = tests/fuzz/fuzz_push_journal.c $(FUZZ_MAIN)
tests_fuzz_fuzz_push_journal_LDADD = libpushgw.a $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz_push_answer
tests_fuzz_fuzz_push_answer_SOURCES = tests/fuzz/fuzz_push_answer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_push_answer_LDADD = libpushgw.a $(FUZZ_LIBS)
