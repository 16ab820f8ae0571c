# SPDX-License-Identifier: Apache-2.0
"""policy: what the rules on client paths cost; ours with the rule of display names on and off.

The stream is mixed as clients do: mostly long polls and messages, which no rule looks at, some profile reads,
and some requests whose body is inspected with the rule on and streamed with it off.  MIX says how many of a
hundred.  The change of a display name is one that is allowed (by an administrator), so that both sides do
the same work behind it; whose token it is, is remembered after the first.
"""
import json
import random
import statistics

from loads import wrk
from proxies import Variant
from rounds import Check, Outcome, interleave, median, summary, warmed

ROUNDS_FACTOR = 4  # a difference of two percent wants many rounds, which may be shorter
CYCLES = 20
TOKEN = "Bearer syt_bench_token_of_an_administrator"
USER = "@bench:localhost"
ROOM = "!room:localhost"
EVENT = "$iVq3mwRbHwpbgtCTZsNFQVXHkMyA8OKEuv0Tg2dDBiU"

MIX = [  # (of a hundred, method, path, body)
    (35, "GET", "/_matrix/client/v3/sync?since=s72594_4483_1934&timeout=0", None),
    (20, "PUT", f"/_matrix/client/v3/rooms/{ROOM}/send/m.room.message/%d", {"msgtype": "m.text", "body": "x" * 200}),
    (10, "PUT", f"/_matrix/client/v3/rooms/{ROOM}/send/m.room.encrypted/%d", {"ciphertext": "x" * 800}),
    (8, "POST", f"/_matrix/client/v3/rooms/{ROOM}/receipt/m.read/{EVENT}", {"thread_id": "main"}),
    (5, "PUT", f"/_matrix/client/v3/rooms/{ROOM}/typing/{USER}", {"typing": True, "timeout": 30000}),
    (5, "POST", "/_matrix/client/v3/keys/query", {"device_keys": {USER: []}}),
    (5, "PUT", "/_matrix/client/v3/sendToDevice/m.room.encrypted/%d", {"messages": {USER: {"*": {}}}}),
    (5, "GET", f"/_matrix/client/v3/profile/{USER}", None),
    (2, "GET", f"/_matrix/client/v3/profile/{USER}/displayname", None),
    (2, "PUT", f"/_matrix/client/v3/rooms/{ROOM}/state/m.room.topic/", {"topic": "x" * 40}),
    (1, "POST", f"/_matrix/client/v3/join/{ROOM}", {"reason": "invited"}),
    (1, "POST", "/_matrix/client/v3/createRoom", {"preset": "private_chat", "invite": [USER]}),
    (1, "PUT", f"/_matrix/client/v3/profile/{USER}/displayname", {"displayname": "Bench"}),
]


def write_requests(path):
    """The mixed stream as bench/wrk.lua reads it; the order is shuffled, the same in every run."""
    order = [row for row in MIX for _ in range(row[0] * CYCLES)]
    random.Random(1).shuffle(order)
    with path.open("w") as out:
        for number, (_, method, target, body) in enumerate(order):
            text = "" if body is None else json.dumps(body, separators=(",", ":"))
            out.write(f"{method}\n{target.replace('%d', str(number))}\n{TOKEN}\n{text}\n")
    return path


def costs(rounds):
    """Per round: percent of the requests/s that the rules take."""
    both = rounds.get("rules on", []), rounds.get("rules off", [])
    return [100 * (1 - on["value"] / off["value"]) for on, off in zip(*both)]


def run(stage):
    outcome, options = Outcome("requests/s"), stage.options
    requests = write_requests(stage.folder / "requests.mixed")

    def pair(proxy):
        seconds = max(1, options.seconds // 2)
        return (lambda: wrk(proxy, 1, options.connections, requests),
                lambda: wrk(proxy, seconds, options.connections, requests))

    with stage.serving(outcome.failures, ["schleuse"]) as on, \
            stage.serving(outcome.failures, ["schleuse"], variant=Variant(rules="off")) as off:
        both = {label: pair(running["schleuse"]) for label, running in (("rules on", on), ("rules off", off))
                if "schleuse" in running}
        good = warmed(both, outcome.failures)
        outcome.rounds = interleave("policy", good, options.rounds * ROUNDS_FACTOR, outcome.failures)
    outcome.rows = summary(outcome.rounds)
    each = costs(outcome.rounds)
    note = "one of the two has no figures"
    if len(each) > 1:
        quarters = statistics.quantiles(each)
        note = f"half of the rounds between {quarters[0]:.1f} and {quarters[2]:.1f}"
    outcome.checks = [Check("percent of the requests/s", median(each), 2.0, at_least=False, digits=1, note=note)]
    return outcome
