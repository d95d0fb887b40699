# SPDX-License-Identifier: BSD-3-Clause
"""What a manifest row may ask for: the trigger that the file shows, and the least verdict that the
evidence in that file supports by the judge's arithmetic. Modest on purpose: a detector that says
more is not wrong."""
import collections
import re
import struct

import tunneltruth

# How a row's note says that what the box did cannot be told from this file, and why. Such a row is no control: where a
# reader of the file has nothing to go by, what is found there may be called `inconclusive` at most.
NOTHING = "nothing from this side"
from capture import ACK, SYN, TCP, UDP


def stream(frames, source):
    """what one side said, as far as the file has it without a hole"""
    first = [f for f in frames if f.src == source and f.proto == TCP and f.paylen]
    if not first:
        return b""
    data, at = b"", min(f.seq for f in first)
    for frame in sorted(first, key=lambda f: f.seq):
        if frame.seq > at or len(data) > 16384:
            break
        fresh = frame.payload[at - frame.seq:]
        data += fresh
        at += len(fresh)
        if len(frame.payload) < frame.paylen:       # cut short by the snaplen
            break
    return data


def handshake(said):
    """the first handshake message, joined from as many records as hold it, under one record header"""
    joined, at = b"", 0
    while said[at:at + 1] == b"\x16" and (
            len(joined) < 4 or len(joined) < 4 + int.from_bytes(joined[1:4], "big")):
        size = struct.unpack_from("!H", said, at + 3)[0]
        joined += said[at + 5:at + 5 + size]
        at += 5 + size
    return said[:5] + joined


def server_name(said):
    """SNI of a ClientHello, or None where it is not one or its bytes are missing"""
    try:
        hello = handshake(said)
        if hello[0] != 22 or hello[5] != 1:
            return None
        at = 5 + 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + struct.unpack_from("!H", hello, at)[0]
        at += 1 + hello[at]
        end = at + 2 + struct.unpack_from("!H", hello, at)[0]
        at += 2
        while at < end:
            kind, size = struct.unpack_from("!HH", hello, at)
            if kind == 0 and at + 4 + size <= len(hello):
                return hello[at + 9:at + 4 + size].decode("ascii")
            at += 4 + size
    except (IndexError, struct.error):
        pass
    return None


def quic_name(frames, client):
    """SNI of the client's QUIC Initials, where whole datagrams are in the file"""
    from quicname import client_hello   # needs python3-cryptography, and few scenarios need it
    return server_name(client_hello([f.payload for f in frames if f.src == client and f.proto == UDP]))


def trigger_of(frames, flow):
    if flow.proto == UDP:
        name = quic_name(frames, flow.client[0])
        tunnel = None if name else tunneltruth.protocol(frames, flow.client[0])
        return f"quic-sni={name}" if name else f"protocol={tunnel}" if tunnel else "-"
    said = stream(frames, flow[0][0])
    name = server_name(said)
    if b"forbidden-word" in said:
        return "keyword=forbidden-word"
    if name:
        return f"sni={name}"
    tunnel = "ssh" if said.startswith(b"SSH-") else tunneltruth.protocol(frames, flow[0][0])
    host = re.search(rb"\r\nHost: ([^\r]+)\r\n", said)
    if host and not tunnel:
        return f"host={host.group(1).decode()}"
    return f"protocol={tunnel}" if tunnel else "-"


def unseen(kind, frames, view):
    """why the file shows nothing that was done to this flow, or None where it shows some of it"""
    if any(f.fate for f in frames):
        return None
    if kind == "inject":
        return f"{NOTHING}: what was forged did not come by here, and an end that gives up looks the same"
    if view == "server":
        return f"{NOTHING}: what was dropped never came here, and a client that gives up looks the same"
    return None


def handshake_time(frames):
    """SYN to SYN+ACK as seen here, or None"""
    syn = next((f for f in frames if f.flags & (SYN | ACK) == SYN), None)
    answer = next((f for f in frames if f.flags & (SYN | ACK) == SYN | ACK), None)
    return answer.ts - syn.ts if syn and answer else None


def verdict_inject(frames, forged, view, side):
    """None where the forged packets did not come by here"""
    if not forged:
        return None
    if side:
        return "inconclusive"
    whole = handshake_time(frames)
    # A SYN answered by RST+ACK and nothing else is what a closed port looks like.
    if whole is None and not any(f.paylen for f in frames if f.proto == TCP):
        return None
    best = "inconclusive"
    for suspect in forged:
        real = [f for f in frames if f.src == suspect.src and f.fate != "forged"
                and f.proto == TCP and f.ts > suspect.ts]
        # A reset out of the window is ignored: proof of a third party, but the outcome is the same.
        if any(f.paylen and f.src == suspect.dst and f.fate != "forged"
               and f.ts - suspect.ts > (whole or 0) / 2 for f in frames):
            continue
        # The server answers a SYN that was reset, or goes on past the reset: two authors.
        if any(f.flags & (SYN | ACK) == SYN | ACK for f in real) or any(
                f.paylen and (f.seq - suspect.seq) % 2**32 < 2**31
                and f.ts - suspect.ts > (whole or 0) / 2 for f in real):
            return "likely"
        # Sooner than the server can have answered.
        asked = [f.ts for f in frames if f.src != suspect.src and f.ts <= suspect.ts
                 and f.proto == TCP and not f.fate == "forged"]
        if view != "server" and whole and asked and suspect.ts - asked[-1] < 0.8 * whole:
            best = "anomaly"
    return best


def verdict_drop(frames, flow, view, side):
    """→ (decisive frames, least verdict); (…, None) where the drop cannot be told from here"""
    if flow.proto == UDP:
        return verdict_drop_udp(frames, flow, view, side)
    tcp = [f for f in frames if f.proto == TCP]
    lost = [f for f in frames if f.fate in ("dropped", "icmp")]
    if side:
        return [], None
    # The drop itself may be out of sight, what it causes is not: the client says it again.
    spoken = [f for f in tcp if f.src == flow[0][0] and (f.paylen or f.flags & SYN)]
    said = collections.Counter(f.seq for f in spoken)
    again = [f for f in spoken if said[f.seq] > 1]
    decisive = lost or (again if view != "server" else [])
    if not decisive:
        return [], None
    # Only the opening counts as a ladder, not what a client says when it gives up later.
    answers = [f.ts for f in tcp if f.src == flow[1][0] and f.paylen]
    opening = next((f.seq for f in spoken if f.paylen), None)
    early = {f.seq for f in spoken if f.paylen and not (answers and answers[0] < f.ts)} | {opening}
    ladder = max((said[f.seq] for f in decisive if f.src == flow[0][0] and f.seq in early
                  and f.paylen), default=0)
    if view != "server" and ladder >= 4:
        return decisive, "anomaly"
    return decisive, "inconclusive"


def verdict_drop_udp(frames, flow, view, side):
    """Silence alone says little of UDP: an access list or a server without HTTP/3 looks the same."""
    asked = [f for f in frames if f.src == flow[0][0] and f.fate == "dropped"]
    if side or view == "server" or not asked or any(f.src == flow[1][0] for f in frames):
        return [], None
    return asked, "inconclusive"
