# SPDX-License-Identifier: Apache-2.0
"""out, outways and far: requests of a homeserver to other servers, as Synapse sends them (form A).

out: signed PUTs of 2 KB over the unix socket, a connection for each, to a target whose TLS connections stay.  nginx
and HAProxy relay the same bytes and verify nothing.  A proxy that relayed like the better of them and spent
nothing else than libsodium's verification would do 1/(1/peer + 1/verify).  "unsigned": a service whose
signatures, invites and domains are not looked at; its destinations are judged all the same.

outways: what out leaves out: signed GETs, loopback TCP, and connections that stay on our side too, which Synapse
does not have, for the ceiling.

far: many destinations with a warm connection each: what they take of memory, and the time of the first
request to each.
"""
from dataclasses import dataclass

import outbound
from daemons import Failed
from loads import client, result_line, run as run_program, sample_of
from machine import one_core, pss_bytes
from proxies import PEERS
from rounds import Check, Outcome, interleave, median, ratios, summary, warmed

OURS, UNSIGNED, BARE = "schleuse", "schleuse unsigned", "libsodium alone"
WAYS = {"get": ("GETs", {}), "tcp": ("over TCP", {"tcp": True}), "kept": ("kept alive", {"how": "keep"})}
OUT_ROUNDS_MAX = 5
WAYS_ROUNDS_MAX = 3  # of half the length: only shown
FAR_ROUNDS_MAX = 2
DESTINATIONS = 1000
FAR_THREADS = 16


@dataclass
class Loads:
    """The load generator and the requests of one work."""

    stage: object
    home: outbound.Homeserver
    around: outbound.World

    def send(self, proxy, seconds, made, how="close", tcp=False, secret=outbound.SECRET, threads=None):
        program = self.stage.program("clients/outbound")
        where = proxy.port if tcp else f"unix:{proxy.socket}"
        threads = threads or self.stage.options.connections
        return client(proxy, program, seconds, threads, how, made.requests, secret, at=where)

    def verify(self, seconds, made):
        """Verifications per second on the proxy's core, while the proxies rest."""
        command = [self.stage.program("clients/verify"), made.public_hex, made.objects, seconds]
        return sample_of(result_line(run_program(one_core().proxy, command, seconds)))

    def puts(self, of):
        asked = outbound.transactions(of.origin, self.around.names[0])
        return of.prepare(self.stage.folder / f"{of.origin}-put", asked)

    def gets(self, names):
        return self.home.prepare(self.stage.folder / f"get-{len(set(names))}", outbound.profiles(names))

    def leaving(self, failures, names=None):
        return outbound.leaving(self.stage, failures, self.home.key, self.around, names)


def loads_of(stage, destinations=1):
    return Loads(stage, outbound.Homeserver(outbound.HOME), outbound.world(destinations))


def measured(outcome, stage, measures, rounds_max, seconds=None):
    """Fills in the rounds of {name: function of seconds}."""
    seconds = seconds or stage.options.seconds
    pairs = {name: (lambda m=measure: m(1), lambda m=measure: m(seconds)) for name, measure in measures.items()}
    good = warmed(pairs, outcome.failures)
    count = min(stage.options.rounds, rounds_max)
    outcome.rounds = interleave(stage.options.work, good, count, outcome.failures)
    outcome.rows = summary(outcome.rounds)


def bounds(rounds, peers, bare):
    """Per round: what the better peer could do if it verified too."""
    peers = [rounds[peer] for peer in peers if peer in rounds]
    if not peers:
        return []
    return [1 / (1 / max(p["value"] for p in relayed) + 1 / verified["value"])
            for *relayed, verified in zip(*peers, rounds.get(bare, []))]


def share(rounds, ours, peers, bare):
    """The median of our shares of the bound; None without figures."""
    return median(sample["value"] / bound for sample, bound in zip(rounds.get(ours, []), bounds(rounds, peers, bare)))


def share_check(rounds, limit):
    value = share(rounds, OURS, PEERS, BARE)
    note = "not all figures are there"
    if value:
        note = f"that is {median(bounds(rounds, PEERS, BARE)):.0f}/s"
    return Check("share of 1/(1/faster peer + 1/verify)", value, limit, note=note)


def out(stage):
    outcome, loads = Outcome("requests/s"), loads_of(stage)
    signed, easy = loads.puts(loads.home), loads.puts(outbound.Homeserver(outbound.EASY))
    with loads.leaving(outcome.failures) as running:
        measures = {name: lambda s, p=proxy: loads.send(p, s, signed) for name, proxy in running.items()}
        if OURS in running:
            measures[UNSIGNED] = lambda s: loads.send(running[OURS], s, easy, secret=outbound.EASY_SECRET)
        measures[BARE] = lambda s: loads.verify(s, signed)
        measured(outcome, stage, measures, OUT_ROUNDS_MAX)
    outcome.notes.append(f"{stage.options.connections} at a time over a unix socket, a connection for each")
    outcome.checks = [
        share_check(outcome.rounds, 0.75),
        Check("unsigned requests/s to the faster peer", median(ratios(outcome.rounds, UNSIGNED, PEERS)), 1.0),
    ]
    return outcome


def ways(stage):
    outcome, loads = Outcome("requests/s"), loads_of(stage)
    put, get = loads.puts(loads.home), loads.gets(loads.around.names * 3000)
    with loads.leaving(outcome.failures) as running:
        measures = {f"{name} {way}": lambda s, p=proxy, m=get if way == "get" else put, h=how: loads.send(p, s, m, **h)
                    for way, (_, how) in WAYS.items() for name, proxy in running.items()}
        measures[f"{BARE} get"] = lambda s: loads.verify(s, get)
        measures[f"{BARE} put"] = lambda s: loads.verify(s, put)
        measured(outcome, stage, measures, WAYS_ROUNDS_MAX, max(1, stage.options.seconds // 2))
    for way, (title, _) in WAYS.items():
        peers = [f"{peer} {way}" for peer in PEERS]
        value = share(outcome.rounds, f"{OURS} {way}", peers, f"{BARE} get" if way == "get" else f"{BARE} put")
        if value:
            outcome.notes.append(f"{title}: share of 1/(1/faster peer + 1/verify) {value:.2f}")
    return outcome


def first_and_again(loads, stage, made):
    """Memory and times of a fresh proxy: one request to each destination, and another."""
    failures = {}
    with loads.leaving(failures, [OURS]) as running:
        if OURS not in running:
            raise Failed(failures[OURS])
        proxy = running[OURS]
        before = pss_bytes(proxy.pids)
        first = loads.send(proxy, 0, made, threads=FAR_THREADS)
        after = pss_bytes(proxy.pids)
        again = loads.send(proxy, 0, made, threads=FAR_THREADS)
    count = len(loads.around.names)
    if first["requests"] != count or first["bad_status"]:
        raise Failed(f"only {first['requests']} of {count} destinations were reached, {first['bad_status']} badly")
    return {"value": (after - before) / count, "errors": again["errors"], "first_s": first["seconds"],
            "again_s": again["seconds"], "first_cpu_s": first["proxy_cpu_s"]}


def far(stage):
    outcome, loads = Outcome("bytes"), loads_of(stage, DESTINATIONS)
    made = loads.gets(loads.around.names)
    outcome.rounds = interleave("far", {OURS: lambda: first_and_again(loads, stage, made)},
                                min(stage.options.rounds, FAR_ROUNDS_MAX), outcome.failures)
    outcome.rows = summary(outcome.rounds)
    each = outcome.rounds.get(OURS, [])
    if each:
        first, again = (median(s[key] for s in each) for key in ("first_s", "again_s"))
        outcome.notes.append(f"{DESTINATIONS} destinations, {FAR_THREADS} at a time: the first request to each "
                             f"{first:.2f} s, another {again:.2f} s")
    outcome.checks = [Check("bytes per destination", median(s["value"] for s in each), 32768, at_least=False, digits=0)]
    return outcome
