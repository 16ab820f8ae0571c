# SPDX-License-Identifier: Apache-2.0
"""A strict simulator of the VZD-FHIR-Directory's provider side; see simulator.py."""
from .simulator import Vzd

__all__ = ["Vzd"]
