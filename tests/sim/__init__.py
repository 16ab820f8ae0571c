# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for everything around the proxy: PKI, lists, tokens, servers, and a byte-exact client."""
