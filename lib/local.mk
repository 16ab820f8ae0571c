# SPDX-License-Identifier: Apache-2.0
include lib/base/local.mk
include lib/conf/local.mk
include lib/net/local.mk
include lib/http/local.mk
include lib/jose/local.mk
include lib/matrix/local.mk
include lib/trust/local.mk
include lib/federation/local.mk
include lib/fact/local.mk
include lib/store/local.mk
include lib/ops/local.mk
include lib/daemon/local.mk
