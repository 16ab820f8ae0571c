# SPDX-License-Identifier: Apache-2.0
"""Simulated push providers: they speak the vendors' protocols and refuse what the vendors refuse."""
