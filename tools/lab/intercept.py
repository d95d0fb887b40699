# SPDX-License-Identifier: BSD-3-Clause
"""Which connections a TLS proxy ended: those whose ServerHello the server never sent. It holds 32 random
bytes and is in the clear in TLS 1.2 and 1.3 alike, so a proxy that passes bytes on shows the server's own."""
import struct

from capture import TCP
from wording import stream

HANDSHAKE, SERVER_HELLO, CERTIFICATE = 22, 2, 11


def server_hello(said):
    """the first record of a TLS server, or None"""
    if len(said) < 9 or said[0] != HANDSHAKE or said[5] != SERVER_HELLO:
        return None
    return said[:9 + int.from_bytes(said[6:9], "big")]


def certificates_of(frames, flow):
    """True where the server's certificate is in the clear (TLS 1.2 and older)"""
    said, messages = stream(frames, flow.server[0]), b""
    at = 0
    while at + 5 <= len(said) and said[at] == HANDSHAKE:
        size = struct.unpack_from("!H", said, at + 3)[0]
        messages += said[at + 5:at + 5 + size]
        at += 5 + size
    at = 0
    while at + 4 <= len(messages):
        if messages[at] == CERTIFICATE:
            return True
        at += 4 + int.from_bytes(messages[at + 1:at + 4], "big")
    return False


def intercepted_flows(tables, at_server):
    """tables: of client and box, flow → frames; at_server: all frames of the server's capture"""
    pairs = {f.pair for f in at_server if f.proto == TCP}
    genuine = set()
    for pair in pairs:
        one = [f for f in at_server if f.pair == pair]
        genuine.add(server_hello(stream(one, pair[0][0])))
    found = set()
    for table in tables.values():
        for flow, frames in table.items():
            hello = server_hello(stream(frames, flow.server[0]))
            if hello and hello not in genuine:
                found.add(flow)
    return found
