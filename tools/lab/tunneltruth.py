# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels over UDP in the captures: which protocol, and whether what the box dropped shows as a silence.
The numbers are the catalogue's: an initiation or data of more than a ping, thrice at least, and 15 s without
an answer."""
from capture import TCP, UDP

ASKS = 100          # bytes: WireGuard's keepalive has 32, OpenVPN's ping 86 at most
SILENCE = 15 * 10**9
TRIES = 3
HARD_RESETS = (1, 7, 10)    # OpenVPN, of clients: v1, v2, v3


def datagram(payload):
    """the protocol whose first message of a client this is, or None"""
    if len(payload) == 148 and payload[:4] == b"\1\0\0\0":
        return "wireguard"
    if 14 <= len(payload) < 1200 and payload[0] >> 3 in HARD_RESETS and not payload[0] & 7:
        return "openvpn"
    return None


def protocol(frames, client):
    """of UDP: by the client's first datagram; of TCP: by its first segment"""
    said = next((f for f in frames if f.src == client and f.paylen and f.fate != "forged"), None)
    if said is None:
        return None
    if said.proto == UDP:
        return datagram(said.payload)
    whole = len(said.payload) > 16 and int.from_bytes(said.payload[:2], "big") == len(said.payload) - 2
    return "openvpn" if said.proto == TCP and whole and datagram(said.payload[2:]) == "openvpn" else None


def silence(frames, client, server, until):
    """the client's dropped packets after the server's last one, or [] where they are not enough; until:
    when the captures ended"""
    heard = max((f.ts for f in frames if f.src == server and f.fate != "dropped"), default=None)
    asked = [f for f in frames if f.src == client and f.proto == UDP and f.fate == "dropped"
             and (heard is None or f.ts > heard) and (len(f.payload) >= ASKS or datagram(f.payload))]
    if len(asked) < TRIES:
        return []
    # Of a tunnel that worked the client must ask for as long; a first message is retried ever more rarely.
    waited = asked[-1].ts - heard if heard else until - asked[0].ts
    return asked if waited >= SILENCE else []
