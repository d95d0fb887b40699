# SPDX-License-Identifier: BSD-3-Clause
"""What a manifest row of a DNS transaction may ask for. From fates that truth.py read off the captures;
the numbers are those of the signatures ( DNS-RACE, DNS-EARLY, DNS-BOGON)."""
import ipaddress

import names

BASELINE = 10       # answers of a resolver that must be known before one can come too early
BOGONS = [ipaddress.ip_network(net) for net in
          ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "192.0.0.0/24", "240.0.0.0/4")]


def messages(frames, response):
    """(frame, message) of the questions or of the answers among the frames"""
    for frame in frames:
        message = None if frame.copy else names.message_of(frame)
        if message and message.is_response == response:
            yield frame, message


def trigger(frames):
    for wanted in (False, True):
        for _, message in messages(frames, wanted):
            return f"qname={message.qname} type={message.qtype}"
    return "-"


def headers_differ(forged, genuine):
    (one, mine), (other, its) = forged, genuine
    return abs(one.ttl - other.ttl) > 1 or mine.opt != its.opt or \
        (mine.flags ^ its.flags) & 0xfff0 != 0      # the rcode is no header's trait


def round_trips(frames, server):
    """(time, TTL) of each honest transaction with that resolver, one answer each"""
    asked, table = {}, {}
    for frame, message in messages(frames, False):
        asked.setdefault((frame.pair, message.txid), frame.ts)
    for frame, message in messages(frames, True):
        key = (frame.pair[::-1], message.txid)
        if frame.src == server and frame.fate != "forged" and key in asked:
            table.setdefault(key, (frame.ts - asked[key], frame.ttl))
    return list(table.values())


def stands_out(frames, first, everything, server):
    """the answer comes too early or over another path than that resolver's others (DNS-EARLY)"""
    asked = [f.ts for f, _ in messages(frames, False) if f.ts <= first.ts]
    known = round_trips(everything, server)
    if not asked or len(known) < BASELINE:
        return False
    times, ttls = zip(*known)
    return first.ts - asked[0] < 0.5 * min(times) or \
        not min(ttls) - 1 <= first.ttl <= max(ttls) + 1


def is_bogon(text):
    address = ipaddress.ip_address(text)
    return any(address in net for net in BOGONS if net.version == address.version)


def verdict(frames, everything, server, side):
    """→ (least verdict, None) or (None, why not); everything: all frames of the file"""
    answers = list(messages(frames, True))
    forged = [a for a in answers if a[0].fate == "forged"]
    genuine = [a for a in answers if a[0].fate != "forged"]
    if not forged:
        return None, "not visible here"
    if side:
        return "inconclusive", None
    asked = sum(1 for _ in messages(frames, False))
    if len({message.says for _, message in answers}) > asked > 0:
        if genuine and genuine[0][0].ts < forged[0][0].ts:      # too late to change anything
            return "anomaly", None
        others = genuine or forged[1:]
        differ = any(headers_differ(one, other) for one in forged for other in others)
        return "likely" if differ else "anomaly", None
    if stands_out(frames, forged[0][0], everything, server):
        return "anomaly", None
    if any(is_bogon(text) for _, message in forged for text in message.addresses):
        return "inconclusive", None
    return None, "nothing in this file tells the answer from an honest one"


def describe(frames):
    """one clause on the forged answers"""
    words = []
    asked = next((f.ts for f, _ in messages(frames, False)), None)
    for frame, message in messages(frames, True):
        wait = f" +{(frame.ts - asked) / 1e6:.1f}ms" if asked else ""
        what = ",".join(message.addresses) or f"rcode {message.flags & 15}"
        mark = "" if frame.fate == "forged" else "then " if words else "after "
        head = "" if mark else f" id={frame.ipid:#x} flags={message.flags:#x}"
        words.append(f"{mark}{what} ttl={frame.ttl}{head}{wait}")
    return "; ".join(words)
