# SPDX-License-Identifier: Apache-2.0
"""Federation lists of a size: the entries are made once, each version is signed anew."""
from sim import fedlist

NAME = "m%07d.messenger.bench.test"  # as in clients/fedlist.c


class Listing:
    """A list in the present form of the directory's interface, in any number of versions."""

    def __init__(self, entries, signer):
        self.entries, self.signer = entries, signer
        self._rows = ",".join(
            f'{{"domain":"{NAME % i}","telematikID":"1-BENCH-{i:07d}","timAnbieter":null,"isInsurance":false}}'
            for i in range(entries)
        )

    def payload(self, version):
        return f'{{"version":{version},"domainList":[{self._rows}]}}'.encode()

    def write(self, path, version):
        """Replaces the file whole; returns the bytes of the payload."""
        payload = self.payload(version)
        fedlist.write(path, fedlist.sign(payload, self.signer))
        return len(payload)
