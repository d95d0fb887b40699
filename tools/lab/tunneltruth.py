# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels over UDP and GRE in the captures: which protocol, and whether what the box dropped shows as a silence.
The numbers are the signatures': an initiation or data of more than a ping, thrice at least, and 15 s without
an answer; of GRE under PPTP, ten packets one way and none the other."""
from capture import GRE, TCP, UDP

ASKS = 100          # bytes: WireGuard's keepalive has 32, OpenVPN's ping 86 at most
SILENCE = 15 * 10**9
TRIES = 3
HARD_RESETS = (1, 7, 10)    # OpenVPN, of clients: v1, v2, v3
IKE_REQUESTS = range(34, 38)    # RFC 7296, section 3.1
PPTP_MAGIC = b"\x1a\x2b\x3c\x4d"     # RFC 2637, section 1.4
PPTP_PORT = 1723
SSTP_POST = b"SSTP_DUPLEX_POST "     # MS-SSTP, section 3.2.4.1
GRE_ASKS = 10


def datagram(payload):
    """the protocol whose first message of a client this is, or None"""
    if len(payload) == 148 and payload[:4] == b"\1\0\0\0":
        return "wireguard"
    if is_ike(payload[4:] if payload[:4] == bytes(4) else payload):     # RFC 3948: the non-ESP marker
        return "ike"
    if payload[:2] == b"\xc8\x02" and payload[4:8] == bytes(4) and payload[18:20] == b"\0\1":
        return "l2tp"   # a control message (RFC 2661, section 3.1) to no tunnel yet: SCCRQ
    if 14 <= len(payload) < 1200 and payload[0] >> 3 in HARD_RESETS and not payload[0] & 7:
        return "openvpn"
    return None


def is_ike(message):
    """a request of version 2, which may be cut short by the snaplen"""
    return len(message) >= 28 and message[17] == 0x20 and message[18] in IKE_REQUESTS and \
        not message[19] & 0x20 and int.from_bytes(message[24:28], "big") >= len(message)


def protocol(frames, client):
    """of UDP: by the client's first datagram; of TCP: by its first segment"""
    said = next((f for f in frames if f.src == client and f.paylen and f.fate != "forged"), None)
    if said is None:
        return None
    if said.proto == UDP:
        return datagram(said.payload)
    if said.proto == TCP and said.payload[4:8] == PPTP_MAGIC:
        return "pptp"
    if said.proto == TCP and said.payload.startswith(SSTP_POST):
        return "sstp"
    whole = len(said.payload) > 16 and int.from_bytes(said.payload[:2], "big") == len(said.payload) - 2
    return "openvpn" if said.proto == TCP and whole and datagram(said.payload[2:]) == "openvpn" else None


def silence(frames, client, server, until):
    """the client's packets after the server's last one (dropped, or their answers were), or [] where they are
    not enough; until: when the captures ended"""
    heard = max((f.ts for f in frames if f.src == server and f.fate != "dropped"), default=None)
    asked = [f for f in frames if f.src == client and f.proto == UDP
             and (heard is None or f.ts > heard) and (len(f.payload) >= ASKS or datagram(f.payload))]
    if len(asked) < TRIES:
        return []
    # Of a tunnel that worked the client must ask for as long; a first message is retried ever more rarely.
    waited = asked[-1].ts - heard if heard else until - asked[0].ts
    return asked if waited >= SILENCE else []


def carried(frames, flow_of):
    """GRE between two ends belongs to the PPTP control connection that they opened last: sets .flow"""
    last = {}
    for frame in frames:
        ends = frozenset((frame.src, frame.dst))
        if frame.proto == TCP and PPTP_PORT in (frame.sport, frame.dport):
            last[ends] = flow_of(frame)
        elif frame.proto == GRE:
            frame.flow = last.get(ends)


def one_way(frames, client, server):
    """the client's GRE packets where the server's are not there or come no more, or []"""
    gre = [f for f in frames if f.proto == GRE]
    heard = max((f.ts for f in gre if f.src == server and f.fate != "dropped"), default=-1)
    asked = [f for f in gre if f.src == client and f.ts > heard]
    return asked if len(asked) >= GRE_ASKS else []
