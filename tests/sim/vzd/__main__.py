# SPDX-License-Identifier: Apache-2.0
"""Runs the simulator or a command for it."""
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the cryptography module
from .program import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
