# SPDX-License-Identifier: BSD-3-Clause
"""The ground truth of one scenario, read off by comparing its three captures.

A packet that reached an end and never left the other is forged; one that left and never arrived is
dropped. All captures share one clock, so a copy that shows up sooner than the path allows is not
the real packet either, even where every field agrees. Prints rows for pcaps/MANIFEST and, last, a
line for the log. Exits 1 when the scenario did not do what its kind says.
"""
import argparse
import collections
import os
import shutil
import subprocess
import sys

import capture
import dnstruth
import names
import pagetruth
import tunneltruth
from capture import GRE, RST, TCP, UDP
from conclude import Seen, conclusions
from intercept import certificates_of, intercepted_flows
from wording import NOTHING, trigger_of, unseen, verdict_drop, verdict_inject

MAX_TRANSIT = 3 * 10**9
FAMILY = {"inject": "tcp-injection", "drop": "silent-drop", "throttle": "throttling"}
Flow = collections.namedtuple("Flow", "client server proto txid")   # txid: of DNS over UDP, else None
TAIL = 3 * 10**8        # sent this shortly before the captures ended: may still be under way


def arguments():
    parser = argparse.ArgumentParser()
    for name in "name kind note until work out publish vantages nat client server".split():
        parser.add_argument("--" + name, required=True)
    # SCOPE:SECONDS; FAMILY:VERDICT:TRIGGER of all flows; a view, all or names; bit/s
    for name in "residual claim unscored rate".split():
        parser.add_argument("--" + name, default="")
    args = parser.parse_args()
    args.client, args.server = set(args.client.split(",")), set(args.server.split(","))
    args.until = int(float(args.until) * 1e9)
    args.vantages = args.vantages.split(",")
    return args


def undo_nat(frames, outside, inside):
    """behind the translator the client wears the box's address; ports are kept"""
    for frame in frames:
        frame.src = inside if frame.src == outside else frame.src
        frame.dst = inside if frame.dst == outside else frame.dst


def originals(linktype, frames):
    """on "any" a frame shows up once for each interface: leave the copies out, remember of what"""
    if linktype != capture.SLL2:
        return frames, {}
    seen, kept, copies = {}, [], {}
    for frame in frames:
        first = seen.get(frame.key())
        if first and first.iface != frame.iface and frame.ts - first.ts < 2 * 10**6:
            copies[frame.number] = first
        else:
            seen[frame.key()] = frame
            kept.append(frame)
    return kept, copies


def quickest_transit(sent, got):
    """over packets whose key is unique at both places; never resets, they are what is in doubt"""
    ways = [collections.Counter(f.key() for f in frames) for frames in (sent, got)]
    left = {f.key(): f.ts for f in sent if ways[0][f.key()] == 1}
    times = [f.ts - left[f.key()] for f in got if ways[1][f.key()] == 1 and f.key() in left and not f.flags & RST]
    return min(times) if times else 0


def match(sent, got, until):
    """ties each frame in `got` to the frame in `sent` that it is; untied ones came from elsewhere, or left
    when that capture had ended"""
    floor = quickest_transit(sent, got) * 0.9
    waiting = collections.defaultdict(collections.deque)
    for frame in sent:
        waiting[frame.key()].append(frame)
    for frame in got:
        queue = waiting[frame.key()]
        while queue and frame.ts - queue[0].ts > MAX_TRANSIT:
            queue.popleft()
        if queue and frame.ts - queue[0].ts >= floor:
            frame.origin = queue.popleft()
        elif frame.ts < until:
            frame.fate = "forged"


def compare(views, args):
    """sets .fate on every frame of the three captures"""
    both = args.client | args.server

    def of(place, who):
        return [f for f in views[place] if f.src in who and f.dst in both]

    for who, here, there in ((args.client, "client", "server"), (args.server, "server", "client")):
        sent = of(here, who)
        match(sent, of(there, who), args.until)
        arrived = {id(f.origin) for f in of(there, who) if f.origin}
        for frame in sent:
            if id(frame) not in arrived and frame.ts < args.until - TAIL:
                frame.fate = "dropped"
        match(sent, of("box", who), args.until)
        for frame in of("box", who):
            if frame.origin and frame.origin.fate == "dropped":
                frame.fate = "dropped"
    for frames in views.values():
        for frame in frames:
            if frame.quoted and frame.src not in args.client | args.server:
                frame.fate = "icmp"     # an error from the middle of the path, openly so


def flow_of(frame, args):
    """the flow that a frame or the packet it quotes is of, or None where it is not the two ends'"""
    inner = capture.quoted_packet(frame) if frame.quoted else frame
    client, server = inner.pair
    if client[0] in args.server:
        client, server = server, client
    ours = client[0] in args.client and server[0] in args.server
    if inner.proto == TCP or (inner.proto == UDP and ours):
        return Flow(client, server, inner.proto, names.txid_of(inner))
    return frame.flow


def flows(frames, args):
    """flow → its frames; TCP, UDP between the two ends, GRE under PPTP, and ICMP errors about them"""
    table = {}
    for frame in frames:
        flow = flow_of(frame, args)
        if flow:
            table.setdefault(flow, []).append(frame)
    return table


def publish(view, raw, args):
    """yields (file, one_sided, frames in it); numbers are those of the file"""
    _, frames, records = raw
    base, everything = f"{args.name}/{view}", [f.number for f in frames]
    path = os.path.join(args.out, base)
    if args.publish == "oneside":
        for side, who in (("c2s", args.client), ("s2c", args.server)):
            chosen = [f for f in frames if f.src in who]
            capture.write(f"{path}-{side}.pcap", records, [f.number for f in chosen])
            yield f"{base}-{side}.pcap", side, chosen
        return
    if args.publish == "snap96":
        capture.write(path + ".pcap", records, everything, 96)
        short = capture.read(path + ".pcap")[1]
        for whole, cut in zip(frames, short):
            cut.fate = whole.fate
        frames = short      # so that a label names only what is still in there
    elif args.publish == "pcapng":
        subprocess.run(["editcap", "-F", "pcapng", f"{args.work}/{view}.pcap", path + ".pcapng"],
                       check=True)
    else:
        shutil.copyfile(f"{args.work}/{view}.pcap", path + ".pcap")
    yield base + (".pcapng" if args.publish == "pcapng" else ".pcap"), None, frames


def describe(frames, bad):
    """one clause on the forged packets, with what a reader would look at first"""
    words, last = [], None
    for frame in frames:
        if frame in bad and frame.proto == TCP:
            letters = "".join(l for bit, l in ((2, "S"), (1, "F"), (4, "R"), (16, "A"))
                              if frame.flags & bit)
            wait = f" +{(frame.ts - last.ts) / 1e6:.1f}ms" if last else ""
            words.append(f"{letters} ttl={frame.ttl} id={frame.ipid:#x}{wait}")
        elif frame.fate != "forged":
            last = frame
    more = f" and {len(words) - 4} more" if len(words) > 4 else ""
    return ", ".join(words[:4]) + more


def row(args, file, flow, expect, verdict, frames, trigger, view, note):
    """flow: one, or the words for several"""
    name = flow if isinstance(flow, str) else flow_text(flow)
    numbers = ",".join(str(n) for n in frames) or "-"
    return "\t".join((file, name, expect, verdict, "-", numbers, trigger, view, "lab", note))


def flow_text(flow):
    proto = "udp" if flow.proto == UDP else "tcp"
    ends = ">".join(f"{bracket(address)}:{port}" for address, port in (flow.client, flow.server))
    return f"{proto} {ends}" + (f" txid={flow.txid:#06x}" if flow.txid is not None else "")


def bracket(address):
    return f"[{address}]" if ":" in address else address


def rows_of_file(args, file, side, frames, numbers, touched, view):
    """rows for one published file; numbers: frame → its number in that file"""
    seen = []
    for flow, mine in flows(frames, args).items():
        named = flow.txid is not None
        trigger = dnstruth.trigger(mine) if named or flow.server[1] == names.PORT else \
            trigger_of(mine, flow)
        seen.append(Seen(flow, mine, trigger, flow in touched, None))
        if flow.proto == TCP and flow.server[0] in args.poisoned:
            yield poisoned_row(args, file, flow, mine, trigger, view)
            continue
        if flow not in touched:
            yield row(args, file, flow, "none", "-", [], trigger, view, "control: left alone")
            continue
        if named:
            charge = charge_dns(args, mine, frames, flow, side)
        else:
            charge = charge_flow(args, mine, flow, view, side)
        family, bad, verdict, facts = charge
        seen[-1].verdict = verdict
        if verdict is None and facts.startswith(NOTHING):
            yield row(args, file, flow, "none", "-", [], trigger, view, f"{args.note}: {facts}")
            continue
        if verdict is None or args.unscored in ("all", view):
            yield row(args, file, flow, "unscored", "-", [], trigger, view, f"{args.note}: {facts}")
            continue
        if trigger.startswith("sni=") and args.kind != "throttle":      # an alert is of TLS, a reset of TCP
            said = args.kind != "drop" and any(f.fate == "forged" and f.paylen for f in bad)
            family = f"tls-filtering|{family}" if said else f"{family}|tls-filtering"
        # What was taken out of GRE is of GRE, which has no ports.
        gre = bad and bad[0].proto == GRE
        where = f"gre {bracket(flow.client[0])}>{bracket(flow.server[0])}" if gre else flow
        yield row(args, file, where, family, verdict, [numbers[id(f)] for f in bad], trigger, view,
                  f"{args.note}; {facts}")
    if not side and args.kind != "throttle" and args.unscored not in ("all", "names", view):
        for flow, expect, verdict, trigger, decisive, note in conclusions(args, seen, view, numbers):
            yield row(args, file, flow, expect, verdict, decisive, trigger, view, note)


def rows_intercepted(args, file, frames, touched, view):
    """Interception is a matter of several connections: each one alone is not scored."""
    names_seen = collections.defaultdict(list)
    for flow, mine in flows(frames, args).items():
        trigger, away = trigger_of(mine, flow), flow in touched
        names_seen[trigger, flow.server[0]].append((away, certificates_of(mine, flow)))
        yield row(args, file, flow, "unscored" if away else "none", "-", [], trigger, view,
                  "the ServerHello is the proxy's" if away else "control: the ServerHello is the server's")
    for (trigger, server), found in names_seen.items():
        count = sum(away for away, _ in found)
        if not trigger.startswith("sni=") or not count:
            continue
        expect, verdict = "unscored", "-"
        if len({away for away, shown in found if shown}) == 2:  # certificates can be compared
            expect, verdict = "tls-interception", "anomaly"
        yield row(args, file, "*", expect, verdict, [], trigger, view,
                  f"{args.note}; {count} of {len(found)} to {server} ended in the proxy")


def poisoned_row(args, file, flow, mine, trigger, view):
    """a connection to an address that only a forged answer gave: no packet of it is forged"""
    if pagetruth.is_known(mine, flow.server[0]):
        return row(args, file, flow, "http-injection", "inconclusive", [], trigger, view,
                   f"{args.note}; the page of a forged answer's address")
    return row(args, file, flow, "unscored", "-", [], trigger, view,
               f"{args.note}: no packet is forged and nobody knows the page")


def charge_flow(args, mine, flow, view, side):
    """→ (family, decisive frames, least verdict or None, what shows it or why nothing does)"""
    kind = args.kind
    if kind == "mixed":     # several boxes: what was forged tells more than what was dropped
        kind = "inject" if any(f.fate == "forged" for f in mine) else "drop"
    carries = any(f.proto == GRE for f in mine) and not any(f.fate and f.proto == TCP for f in mine)
    if carries or flow.proto == UDP and tunneltruth.protocol(mine, flow.client[0]):
        return charge_tunnel(args, mine, flow, view, carries)
    if kind == "inject" and pagetruth.pages(mine, flow.server[0]):
        bad = pagetruth.pages(mine, flow.server[0])
        verdict, why = pagetruth.verdict(mine, flow, side)
        # Where all of a connection is the box's own, no single packet is the decisive one.
        if all(f.fate == "forged" for f in mine if f.src == flow.server[0]):
            bad = []
        family = pagetruth.family(mine, flow) if bad else "http-injection"
        return family, bad, verdict, why or pagetruth.describe(mine, flow)
    if kind == "inject" and flow in args.paged and view == "server":
        return "", [], None, "no page is here, and a client that gives up looks the same"
    if kind == "inject":
        bad = [f for f in mine if f.fate in ("forged", "icmp")]
        verdict = verdict_inject(mine, bad, view, side)
        facts = describe(mine, bad)
    else:
        bad, verdict = verdict_drop(mine, flow, view, side)
        facts = f"{len(bad)} decisive"
        if kind == "throttle":      # a measured rate; a client sees it without seeing a drop
            verdict = "inconclusive"
    family = "quic-filtering|silent-drop" if flow.proto == UDP else FAMILY[kind]
    why = unseen(kind, mine, view) if not side else None
    return family, bad, verdict, facts if verdict else why or "not visible here"


def charge_tunnel(args, mine, flow, view, carries):
    """the same for a session over UDP or GRE: silence, which a wrong key or a dead server keeps too"""
    if args.kind == "throttle":
        if view == "server":
            return "", [], None, f"{NOTHING}: nobody acknowledges a tunnel's datagrams"
        return "throttling", [], "inconclusive", "what is missing shows in its numbers"
    if view == "server":
        return "", [], None, f"{NOTHING}: a client that went away, or hears nothing, looks the same"
    ends = flow.client[0], flow.server[0]
    asked = tunneltruth.one_way(mine, *ends) if carries else \
        tunneltruth.silence(mine, *ends, args.until)
    verdict = "inconclusive" if asked else None
    return "vpn-interference", asked[:1], verdict, f"{len(asked)} unanswered" if asked else "not visible here"


def charge_dns(args, mine, everything, flow, side):
    """the same for one DNS transaction"""
    if args.kind != "inject":       # there is no row for a query that stays unanswered
        return "", [], None, "silence proves nothing about a name"
    verdict, why = dnstruth.verdict(mine, everything, flow.server[0], side)
    bad = [f for f in mine if f.fate == "forged"]
    return "dns-injection", bad, verdict, why or dnstruth.describe(mine)


def poisoned_addresses(views):
    """where forged DNS answers send the client and no honest one does"""
    said = {True: set(), False: set()}
    for frames in views.values():
        for frame, message in dnstruth.messages(frames, True):
            said[frame.fate == "forged"].update(message.addresses)
    return said[True] - said[False]


def touched_flows(views, args):
    if args.kind == "mitm":
        return intercepted_flows({v: flows(views[v], args) for v in ("client", "box")}, views["server"])
    fates = {"inject": {"forged"}, "drop": {"dropped", "icmp"}, "throttle": {"dropped"},
             "mixed": {"forged", "dropped", "icmp"}, "benign": set()}[args.kind]
    touched = {flow_of(f, args) for frames in views.values() for f in frames if f.fate in fates}
    return touched - {None}


def main():
    args = arguments()
    raw = {v: capture.read(f"{args.work}/{v}.pcap") for v in ("client", "box", "server")}
    views, copies = {}, {}
    for view, (linktype, frames, _) in raw.items():
        views[view], copies[view] = originals(linktype, frames)
    if args.nat:
        outside, inside = args.nat.split("=")
        undo_nat(views["server"], outside, inside)
    compare(views, args)
    for frames in views.values():
        tunneltruth.carried(frames, lambda f: flow_of(f, args))
    for view, table in copies.items():
        for frame in raw[view][1]:
            if frame.number in table:
                frame.fate, frame.copy = table[frame.number].fate, True
    touched = touched_flows(views, args)
    args.poisoned = poisoned_addresses(views) if args.kind == "inject" else set()
    args.paged = {f for frames in views.values() for f, mine in flows(frames, args).items()
                  if pagetruth.pages(mine, f.server[0])}
    total = len({flow for frames in views.values() for flow in flows(frames, args)})
    if total == 0 or (args.kind != "benign" and not 0 < len(touched) < total):
        sys.exit(f"truth: {args.name}: {len(touched)} of {total} flows touched: "
                 "the scenario did not do what it says")
    shutil.rmtree(os.path.join(args.out, args.name), ignore_errors=True)
    os.makedirs(os.path.join(args.out, args.name))
    for view in args.vantages:
        for file, side, frames in publish(view, raw[view], args):
            numbers = {id(f): n for n, f in enumerate(frames, 1)}
            if args.kind == "benign":
                rate = f"rate={args.rate}" if args.rate else "-"
                lines = [row(args, file, "*", "none", "-", [], rate, view, args.note)]
            elif args.kind == "mitm" and view == "server":
                lines = [row(args, file, "*", "none", "-", [], "-", view, "the proxy is a client like others")]
            elif args.kind == "mitm":
                lines = rows_intercepted(args, file, frames, touched, view)
            else:
                lines = rows_of_file(args, file, side, frames, numbers, touched, view)
            for line in lines:
                print(line)
    report(args, views, len(touched), total)


def report(args, views, touched, total):
    counts = collections.Counter(f.fate for place in ("client", "server") for f in views[place])
    size = sum(entry.stat().st_size for entry in os.scandir(os.path.join(args.out, args.name)))
    print(f"flows={total} touched={touched} forged={counts['forged']} "
          f"dropped={counts['dropped']} icmp={counts['icmp']} bytes={size}")


if __name__ == "__main__":
    main()
