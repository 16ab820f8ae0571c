# SPDX-License-Identifier: Apache-2.0
"""The HTTP conformance cases and what plays them."""
