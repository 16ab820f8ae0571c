# SPDX-License-Identifier: Apache-2.0
"""Runs the simulators."""
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the cryptography module
from .program import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
