# SPDX-License-Identifier: Apache-2.0
"""Our HTTP/1 parser beside h11 and llhttp: the same bytes are the same messages (ML-123621-2)."""
import sys

from harness import BUILD, SOURCE

sys.path.insert(0, str(SOURCE / "tests" / "fuzz"))

import differ  # noqa: E402


def test_nothing_is_framed_differently() -> None:
    """And no difference is without its reason; see differ.KNOWN.  Longer runs: tests/fuzz/differ.py."""
    found = differ.compare(str(BUILD / "tests" / "fuzz" / "h1_frames"), 20000)
    assert not found.faults, "\n".join(found.faults)
    assert found.inputs == 20000 and found.accepted > 5000, "the inputs are too bad to show anything"
