# SPDX-License-Identifier: BSD-3-Clause
"""What only several connections of a file show together: a name that fails and others that do not, a
window that stays shut after a trigger. From fates that truth.py read off the captures; the numbers are
those of tools/study: a name fails in 4 of 5 and thrice at least, a control in 1 of 5 at
most and is there twice."""
import collections
import dataclasses
import ipaddress

from capture import ACK, SYN, TCP


@dataclasses.dataclass
class Seen:
    """one flow of one file; what its row in the manifest says"""
    flow: tuple
    frames: list
    trigger: str
    touched: bool       # by the box, visible in this file or not
    verdict: str        # least verdict of the flow alone; None: cannot be told from this file

    @property
    def server(self):
        return self.flow.server[0]

    @property
    def start(self):
        return self.frames[0].ts


def network(address):
    """addresses of one network share its fate: /24 or /48"""
    wide = 24 if "." in address else 48
    return ipaddress.ip_network(f"{address}/{wide}", strict=False)


def named(flows, kind):
    table = collections.defaultdict(list)
    for one in flows:
        if one.trigger.startswith(kind):
            table[one.trigger].append(one)
    return table


def independent(flows, everything):
    """without failures that may be what is left of an earlier one: nothing passed in between"""
    kept, last = [], None
    for one in sorted(flows, key=lambda f: f.start):
        if last and one.touched and not any(
                not f.touched and last.start < f.start < one.start and f.server == one.server
                for f in everything):
            continue
        kept.append(one)
        last = one if one.touched else None
    return kept


def fails(flows):
    """P(fail) >= 0.8 with n >= 3"""
    bad = sum(one.touched and one.verdict is not None for one in flows)
    return len(flows) >= 3 and bad >= 0.8 * len(flows)


def names(flows, kind, family, view):
    """yields (expect, verdict, trigger, note) for names that fail where others do not"""
    table = named(flows, kind)
    guilty = set()
    for trigger, mine in table.items():
        mine = independent(mine, flows)
        where = collections.defaultdict(list)
        for one in mine:
            where[one.server].append(one)
        others = [one for other, theirs in table.items() if other != trigger for one in theirs]
        reasons = []
        for server, here in where.items():
            control = [one for one in others if one.server == server]
            if fails(here) and len(control) >= 2 and sum(c.touched for c in control) <= 0.2 * len(control):
                reasons.append(f"{sum(one.touched for one in here)} of {len(here)} to {server} touched, "
                               f"{len(control)} controls there are not")
        if fails(mine) and len({network(one.server) for one in mine if one.touched}) >= 2:
            reasons.append(f"to {len(where)} addresses of unrelated networks alike")
        if reasons:
            guilty.add(trigger)
            weak = view == "server" or any(one.verdict == "inconclusive" for one in mine) and kind == "sni="
            yield family, "inconclusive" if weak else "anomaly", trigger, "; ".join(reasons)
    for trigger, mine in table.items() if guilty else ():
        if not any(one.touched for one in mine):
            yield "none", "-", trigger, "control: this name is left alone"


@dataclasses.dataclass
class Attempt:
    """one try of the client: a SYN and what follows on it, or a UDP flow"""
    first: object       # its first frame
    key: tuple
    trigger: bool
    shut: bool          # answered by the box before it could say anything


def attempts_of(one, scope, bad):
    """splits a flow at each new SYN: the same four-tuple may come again"""
    (client, cport), (server, sport) = one.flow[:2]
    key = {"2-tuple": (server,), "3-tuple": (server, sport), "4-tuple": (server, sport, cport)}[scope]
    parts, isn = [], None
    for frame in one.frames:
        opens = frame.src == client and frame.flags & (SYN | ACK) == SYN and frame.seq != isn
        if opens or not parts:
            isn = frame.seq if opens else None
            parts.append([])
        parts[-1].append(frame)
    for part in parts:
        touched = any(f.fate in ("forged", "dropped", "icmp") for f in part)
        tcp = part[0].proto == TCP
        spoke = any(f.src == client and f.paylen for f in part) if tcp else one.trigger in bad
        yield Attempt(part[0], key, touched and spoke, touched and not spoke)


def windows(flows, scope):
    """→ [(trigger, [what was shut], the first that passed)]: closed windows with two tries or more"""
    first = min((one for one in flows if one.touched), key=lambda f: f.start, default=None)
    bad = {first.trigger} if first else set()
    open_, closed = {}, []
    for attempt in sorted((a for one in flows for a in attempts_of(one, scope, bad)),
                          key=lambda a: a.first.ts):
        window = open_.get(attempt.key)
        if attempt.trigger and not window:
            open_[attempt.key] = (attempt, [])
        elif window and attempt.shut:
            window[1].append(attempt)
        elif window and not attempt.trigger:
            if len(window[1]) >= 2:
                closed.append((*window, attempt))
            del open_[attempt.key]
    return closed


def residual(flows, scope, seconds):
    """→ the row's (expect, verdict, trigger, note, decisive frames), or None where no window shows"""
    closed = windows(flows, scope)
    if not closed:
        return None
    words, decisive = [], []
    for trigger, shut, passed in closed:
        last, after = ((a.first.ts - trigger.first.ts) / 1e9 for a in (shut[-1], passed))
        words.append(f"shut {len(shut)} times up to +{last:.1f} s, open at +{after:.1f} s")
        decisive += [a.first for a in shut]
    verdict = "anomaly" if len(closed) >= 2 else "inconclusive"
    return ("residual", verdict, "-", f"{scope} for {seconds} s after the trigger: " + ", ".join(words),
            decisive)


def conclusions(args, flows, view, numbers):
    """yields (flow, expect, verdict, trigger, frame numbers, note) for one file"""
    if view != "server" and args.residual:
        scope, seconds = args.residual.split(":")
        found = residual(flows, scope, seconds)
        if found:
            *row, frames = found
            yield ("*", *row[:3], [numbers[id(f)] for f in frames], row[3])
    if view != "server" and args.claim:
        family, verdict, trigger = args.claim.split(":")
        mine = [one for one in flows if one.trigger == trigger or trigger.startswith("protocol=")]
        if min(sum(one.touched for one in mine), sum(not one.touched for one in mine)) >= 2:
            yield "*", family, verdict, trigger, [], args.note
    for kind, family in (("sni=", "tls-filtering"), ("quic-sni=", "quic-filtering|silent-drop")):
        for expect, verdict, trigger, note in names(flows, kind, family, view):
            yield "*" if expect != "none" else trigger, expect, verdict, trigger, [], note
