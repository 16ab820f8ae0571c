/* SPDX-License-Identifier: Apache-2.0 */
/* Who the peer must be before anything is sent to it (FD-5.2.1.2-9). */
#include <criterion/criterion.h>

#include "lib/net/tlsclient.h"
#include "tests/unit/connlab.h"

TestSuite(connector_tls, .init = connlab_setup, .fini = connlab_teardown);

Test(connector_tls, takes_the_certificate_of_an_address)
{
	connlab_open_peer(&(struct tlscert){ .names = "IP:192.0.2.7,IP:2001:db8::7" });
	connlab.to.tls_name = "2001:db8::7";
	connlab_run();
	connlab_expect_open();
	cr_assert_null(SSL_get_servername(connlab.far.ssl, TLSEXT_NAMETYPE_host_name));
}

Test(connector_tls, refuses_the_certificate_of_another_address)
{
	connlab_open_peer(&(struct tlscert){ .names = "IP:192.0.2.8,DNS:192.0.2.7" });
	connlab.to.tls_name = "192.0.2.7";
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector_tls, takes_a_wildcard_for_one_label)
{
	connlab_open_peer(&(struct tlscert){ .names = "DNS:*.example.org" });
	connlab_run();
	connlab_expect_open();
}

Test(connector_tls, refuses_a_wildcard_for_two_labels)
{
	connlab_open_peer(&(struct tlscert){ .names = "DNS:*.example.org" });
	connlab.to.tls_name = "b.a.example.org";
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector_tls, refuses_another_name)
{
	connlab_open_peer(&(struct tlscert){ .names = "DNS:b.example.org" });
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_NAME);
}

/* RFC 9525 6.3: subjectAltName alone says for whom a certificate is. */
Test(connector_tls, refuses_a_name_that_is_only_in_the_subject)
{
	connlab_open_peer(&(struct tlscert){ .names = "email:a@example.org" });
	connlab.to.tls_name = "server";
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector_tls, refuses_what_has_expired)
{
	connlab_open_peer(&(struct tlscert){ .from_days = -9, .to_days = -1 });
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_EXPIRED);
}

Test(connector_tls, refuses_what_is_not_yet_valid)
{
	connlab_open_peer(&(struct tlscert){ .from_days = 1 });
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_EXPIRED);
}

Test(connector_tls, refuses_the_self_signed)
{
	connlab_open_peer(&(struct tlscert){ .self_signed = true });
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_CHAIN);
}

Test(connector_tls, refuses_an_unknown_issuer)
{
	X509_STORE *nobody = X509_STORE_new();

	connlab_open_peer(&(struct tlscert){ 0 });
	SSL_CTX_free(connlab.to.tls);
	connlab.to.tls = tlsclient_context(nobody);
	X509_STORE_free(nobody);
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS_CHAIN);
}

Test(connector_tls, refuses_a_peer_that_knows_only_tls_1_1)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	cr_assert_eq(SSL_CTX_set_min_proto_version(connlab.peer.ctx, TLS1_VERSION), 1);
	cr_assert_eq(SSL_CTX_set_max_proto_version(connlab.peer.ctx, TLS1_1_VERSION), 1);
	cr_assert_eq(SSL_CTX_set_cipher_list(connlab.peer.ctx, "ALL:@SECLEVEL=0"), 1);
	connlab_run();
	connlab_expect_refused(ERR_REMOTE_TLS);
}

Test(connector_tls, takes_tls_1_2)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	cr_assert_eq(SSL_CTX_set_max_proto_version(connlab.peer.ctx, TLS1_2_VERSION), 1);
	connlab_run();
	connlab_expect_open();
}

Test(connector_tls, tells_when_the_peer_speaks_no_tls)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	(void)connlab_start();
	UNTIL(connlab.loop, lab_accepted(connlab.peer.listener, &connlab.far));
	lab_say(&connlab.far, "HTTP/1.1 400 Bad Request\r\n\r\n");
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_TLS);
}

Test(connector_tls, tells_when_the_peer_hangs_up_in_the_handshake)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	(void)connlab_start();
	UNTIL(connlab.loop, lab_accepted(connlab.peer.listener, &connlab.far));
	lab_close(&connlab.far);
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_TLS);
}
