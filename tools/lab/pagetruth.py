# SPDX-License-Identifier: BSD-3-Clause
"""What a manifest row may ask for where somebody put a page into an HTTP connection. From fates that
truth.py read off the captures; by the signatures HTTP-INJ, EV-TSGONE, RACE-8,
HTTP-IFRAME-IR."""
from capture import FIN, SYN, TCP

HTTP = 80
TIMESTAMP = 8       # kind of the option, RFC 7323
# The page of which its country's address is the mark: as published, and as good as the packets.
KNOWN = b'<iframe src="http://10.10.34.35'


def pages(frames, server):
    """the forged frames with content in the server's name"""
    return [f for f in frames if f.fate == "forged" and f.proto == TCP and f.paylen and
            f.src == server and f.sport == HTTP]


def is_known(frames, server):
    said = b"".join(f.payload for f in frames if f.proto == TCP and f.src == server)
    return KNOWN in said


def has_timestamp(frame):
    options, at = frame.options, 0
    while at + 1 < len(options):
        if options[at] == TIMESTAMP:
            return True
        at += 1 if options[at] < 2 else max(2, options[at + 1])
    return False


def differs(frame, other):
    """both have bytes for the same place in the stream, and not the same"""
    start, end = max(frame.seq, other.seq), min(frame.seq + len(frame.payload),
                                                other.seq + len(other.payload))
    return start < end and frame.payload[start - frame.seq:end - frame.seq] != \
        other.payload[start - other.seq:end - other.seq]


def verdict(frames, flow, side):
    """→ (least verdict, None) or (None, why not)"""
    server = flow.server[0]
    forged = pages(frames, server)
    if side:
        return None, "only one direction is here"
    tcp = [f for f in frames if f.proto == TCP]
    genuine = [f for f in tcp if f.src == server and f.paylen and f.fate != "forged"]
    if any(differs(forged[0], f) and f.ts < forged[0].ts for f in genuine):    # too late
        return "inconclusive", None
    if any(differs(one, other) for one in forged for other in genuine):
        return "likely", None
    handshake = [f for f in tcp if f.flags & SYN]
    if any(f.src == server and f.fate == "forged" for f in handshake):
        if is_known(forged, server):
            return "inconclusive", None
        return None, "the box is the server as far as this file shows"
    agreed = len({f.src for f in handshake}) == 2 and all(has_timestamp(f) for f in handshake)
    if agreed and not has_timestamp(forged[0]):
        return "likely", None
    if is_known(forged, server):
        return "inconclusive", None
    # In one segment with its FIN, and soon: small servers nearby do that too.
    return None, "nothing but its shape tells the page from the server's own"


def family(frames, flow):
    """a page that closes is also a forged FIN"""
    closing = any(f.flags & FIN for f in pages(frames, flow.server[0]))
    return "http-injection|tcp-injection" if closing else "http-injection"


def describe(frames, flow):
    """one clause on the page"""
    forged = pages(frames, flow.server[0])
    first = forged[0]
    status = first.payload.split(b"\r\n")[0][:40].decode("latin-1")
    fin = " and FIN" if forged[-1].flags & FIN else ""
    stamp = "" if has_timestamp(first) else ", no timestamps"
    return f"'{status}' in {len(forged)} segments{fin}, ttl={first.ttl} id={first.ipid:#x}{stamp}"
