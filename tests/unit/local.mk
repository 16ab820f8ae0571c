# SPDX-License-Identifier: Apache-2.0
# One program holds the unit tests but those of the passage; every module adds its test_<module>.c.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/unit
TESTS += tests/unit/unit
endif
tests_unit_unit_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) -DTEST_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_unit_LDADD = libproxy.a libschleuse.a $(DEPS_LIBS) $(CRITERION_LIBS)
tests_unit_unit_SOURCES =
tests_unit_unit_SOURCES += tests/unit/confdocs.c
tests_unit_unit_SOURCES += tests/unit/confdocs.h
tests_unit_unit_SOURCES += tests/unit/httpd.c
tests_unit_unit_SOURCES += tests/unit/httpd.h
tests_unit_unit_SOURCES += tests/unit/judge.c
tests_unit_unit_SOURCES += tests/unit/judge.h
tests_unit_unit_SOURCES += tests/unit/lab.c
tests_unit_unit_SOURCES += tests/unit/lab.h
tests_unit_unit_SOURCES += tests/unit/pki.c
tests_unit_unit_SOURCES += tests/unit/pki.h
tests_unit_unit_SOURCES += tests/unit/redisd.c
tests_unit_unit_SOURCES += tests/unit/redisd.h
tests_unit_unit_SOURCES += tests/unit/test_address.c
tests_unit_unit_SOURCES += tests/unit/test_agent.c
tests_unit_unit_SOURCES += tests/unit/test_arena.c
tests_unit_unit_SOURCES += tests/unit/test_base64.c
tests_unit_unit_SOURCES += tests/unit/test_budget.c
tests_unit_unit_SOURCES += tests/unit/test_buf.c
tests_unit_unit_SOURCES += tests/unit/test_canonical.c
tests_unit_unit_SOURCES += tests/unit/test_certcheck.c
tests_unit_unit_SOURCES += tests/unit/test_clock.c
tests_unit_unit_SOURCES += tests/unit/test_conf.c
tests_unit_unit_SOURCES += tests/unit/test_conf_address.c
tests_unit_unit_SOURCES += tests/unit/test_config.c
tests_unit_unit_SOURCES += tests/unit/test_config_docs.c
tests_unit_unit_SOURCES += tests/unit/test_config_regsvc.c
tests_unit_unit_SOURCES += tests/unit/test_digests.c
tests_unit_unit_SOURCES += tests/unit/test_connlimit.c
tests_unit_unit_SOURCES += tests/unit/test_discovery.c
tests_unit_unit_SOURCES += tests/unit/test_err.c
tests_unit_unit_SOURCES += tests/unit/test_errand.c
tests_unit_unit_SOURCES += tests/unit/test_fact.c
tests_unit_unit_SOURCES += tests/unit/test_fedlist.c
tests_unit_unit_SOURCES += tests/unit/test_fedstore.c
tests_unit_unit_SOURCES += tests/unit/test_fetch.c
tests_unit_unit_SOURCES += tests/unit/test_forward.c
tests_unit_unit_SOURCES += tests/unit/test_fsutil.c
tests_unit_unit_SOURCES += tests/unit/test_h1.c
tests_unit_unit_SOURCES += tests/unit/test_h1_body.c
tests_unit_unit_SOURCES += tests/unit/test_h1conn.c
tests_unit_unit_SOURCES += tests/unit/test_h2_head.c
tests_unit_unit_SOURCES += tests/unit/test_h2conn.c
tests_unit_unit_SOURCES += tests/unit/test_hash.c
tests_unit_unit_SOURCES += tests/unit/test_heartbeat.c
tests_unit_unit_SOURCES += tests/unit/test_invites.c
tests_unit_unit_SOURCES += tests/unit/test_json_read.c
tests_unit_unit_SOURCES += tests/unit/test_jws.c
tests_unit_unit_SOURCES += tests/unit/test_jwsform.c
tests_unit_unit_SOURCES += tests/unit/test_list.c
tests_unit_unit_SOURCES += tests/unit/test_listener.c
tests_unit_unit_SOURCES += tests/unit/test_listeners.c
tests_unit_unit_SOURCES += tests/unit/test_log.c
tests_unit_unit_SOURCES += tests/unit/test_lookups.c
tests_unit_unit_SOURCES += tests/unit/test_loop.c
tests_unit_unit_SOURCES += tests/unit/test_mailbox.c
tests_unit_unit_SOURCES += tests/unit/test_metrics.c
tests_unit_unit_SOURCES += tests/unit/test_name.c
tests_unit_unit_SOURCES += tests/unit/test_notify.c
tests_unit_unit_SOURCES += tests/unit/test_ocsp.c
tests_unit_unit_SOURCES += tests/unit/test_pace.c
tests_unit_unit_SOURCES += tests/unit/test_passport.c
tests_unit_unit_SOURCES += tests/unit/test_paths.c
tests_unit_unit_SOURCES += tests/unit/test_pool.c
tests_unit_unit_SOURCES += tests/unit/test_preface.c
tests_unit_unit_SOURCES += tests/unit/test_proxyproto.c
tests_unit_unit_SOURCES += tests/unit/test_rates.c
tests_unit_unit_SOURCES += tests/unit/test_ratelimit.c
tests_unit_unit_SOURCES += tests/unit/test_regcertset.c
tests_unit_unit_SOURCES += tests/unit/test_reply.c
tests_unit_unit_SOURCES += tests/unit/test_redis.c
tests_unit_unit_SOURCES += tests/unit/test_redis_acl.c
tests_unit_unit_SOURCES += tests/unit/test_redis_sentinel.c
tests_unit_unit_SOURCES += tests/unit/test_resolver.c
tests_unit_unit_SOURCES += tests/unit/test_roots.c
tests_unit_unit_SOURCES += tests/unit/test_routes.c
tests_unit_unit_SOURCES += tests/unit/test_rule_authorization.c
tests_unit_unit_SOURCES += tests/unit/test_rule_displayname.c
tests_unit_unit_SOURCES += tests/unit/test_rule_invite.c
tests_unit_unit_SOURCES += tests/unit/test_rule_membership.c
tests_unit_unit_SOURCES += tests/unit/test_rule_signature.c
tests_unit_unit_SOURCES += tests/unit/test_rule_token.c
tests_unit_unit_SOURCES += tests/unit/test_rule_transaction.c
tests_unit_unit_SOURCES += tests/unit/test_rule_unknown.c
tests_unit_unit_SOURCES += tests/unit/test_serverkeys.c
tests_unit_unit_SOURCES += tests/unit/test_snapshot.c
tests_unit_unit_SOURCES += tests/unit/test_store_file.c
tests_unit_unit_SOURCES += tests/unit/test_store_redis.c
tests_unit_unit_SOURCES += tests/unit/test_str.c
tests_unit_unit_SOURCES += tests/unit/test_stream.c
tests_unit_unit_SOURCES += tests/unit/test_strmap.c
tests_unit_unit_SOURCES += tests/unit/test_ticketkeys.c
tests_unit_unit_SOURCES += tests/unit/test_tls.c
tests_unit_unit_SOURCES += tests/unit/test_trust.c
tests_unit_unit_SOURCES += tests/unit/test_trust_net.c
tests_unit_unit_SOURCES += tests/unit/test_upstreams.c
tests_unit_unit_SOURCES += tests/unit/test_x5c.c
tests_unit_unit_SOURCES += tests/unit/test_xmatrix.c
tests_unit_unit_SOURCES += tests/unit/tlscert.c
tests_unit_unit_SOURCES += tests/unit/tlscert.h
EXTRA_DIST += tests/unit/cases tests/unit/run
LOG_COMPILER = $(srcdir)/tests/unit/run

# The passage has a program of its own, in which what is around it is faked at link time.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/passage
TESTS += tests/unit/passage
endif
tests_unit_passage_CPPFLAGS = $(tests_unit_unit_CPPFLAGS)
tests_unit_passage_LDADD = $(tests_unit_unit_LDADD)
tests_unit_passage_SOURCES =
tests_unit_passage_SOURCES += tests/unit/passage_fakes.c
tests_unit_passage_SOURCES += tests/unit/passage_fakes.h
tests_unit_passage_SOURCES += tests/unit/test_passage.c

# The registration service has names in common with the proxy, so its tests are a program too.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/regsvc
TESTS += tests/unit/regsvc
endif
tests_unit_regsvc_CPPFLAGS = $(tests_unit_unit_CPPFLAGS)
tests_unit_regsvc_LDADD = libregsvc.a libschleuse.a $(DEPS_LIBS) $(CRITERION_LIBS)
tests_unit_regsvc_SOURCES =
tests_unit_regsvc_SOURCES += tests/unit/confdocs.c
tests_unit_regsvc_SOURCES += tests/unit/confdocs.h
tests_unit_regsvc_SOURCES += tests/unit/test_api_etag.c
tests_unit_regsvc_SOURCES += tests/unit/test_api_target.c
tests_unit_regsvc_SOURCES += tests/unit/test_regsvc_config.c
