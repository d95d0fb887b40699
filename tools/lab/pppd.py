#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for pppd, which needs a kernel with PPP: gives xl2tpd, pptpd and pptp something to carry.

Speaks LCP (RFC 1661) in asynchronous framing (RFC 1662) on the terminal that it is given, first argument or
standard input: asks for a link, agrees to whatever the other end asks for, answers echoes. The client's
(WMLAB_ECHOES=COUNT:SECONDS) then asks for that many echoes of 200 bytes, with so long between them, and ends.
Options of the real pppd are ignored.
"""
import os
import select
import struct
import sys
import time
import tty

FLAG, ESCAPE, ALL_STATIONS, UI = 0x7e, 0x7d, 0xff, 0x03
LCP = 0xc021
CONFIGURE_REQUEST, CONFIGURE_ACK, TERMINATE_REQUEST, ECHO_REQUEST, ECHO_REPLY = 1, 2, 5, 9, 10
MAGIC_NUMBER = 5            # RFC 1661, section 6.4
RESTART = 3.0               # seconds, the Restart timer's default (section 4.6)


def fcs(data):
    """RFC 1662, appendix C.2, bit by bit"""
    value = 0xffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return struct.pack("<H", value ^ 0xffff)


def framed(packet):
    body = bytes([ALL_STATIONS, UI]) + packet
    out = bytearray([FLAG])
    for byte in body + fcs(body):
        out += bytes([ESCAPE, byte ^ 0x20]) if byte < 0x20 or byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes(out) + bytes([FLAG])


def unframed(data):
    """→ the packets in it whose check sequence fits, and what is left of the last one"""
    *whole, rest = data.split(bytes([FLAG]))
    packets = []
    for part in whole:
        body, escaped = bytearray(), False
        for byte in part:
            if byte == ESCAPE and not escaped:
                escaped = True
                continue
            body.append(byte ^ 0x20 if escaped else byte)
            escaped = False
        if len(body) > 4 and fcs(body[:-2]) == body[-2:]:
            # Address and control are left out by some (section 3.1 of RFC 1661 has them optional).
            packets.append(bytes(body[2 if body[0] == ALL_STATIONS else 0:-2]))
    return packets, rest


def lcp(code, ident, data):
    return struct.pack("!HBBH", LCP, code, ident, 4 + len(data)) + data


class Link:
    def __init__(self, out, echoes, seconds):
        self.out, self.echoes, self.seconds = out, echoes, seconds
        self.magic = os.urandom(4)
        self.opened, self.ident, self.due = False, 1, 0.0

    def say(self, packet):
        os.write(self.out, framed(packet))

    def heard(self, packet):
        if len(packet) < 6:
            return
        proto, code, ident, size = struct.unpack_from("!HBBH", packet)
        data = packet[6:2 + size]
        if proto != LCP:
            return
        if code == CONFIGURE_REQUEST:
            self.say(lcp(CONFIGURE_ACK, ident, data))
        elif code == CONFIGURE_ACK and not self.opened:
            self.opened, self.due = True, time.monotonic() + 0.1
        elif code == ECHO_REQUEST:
            self.say(lcp(ECHO_REPLY, ident, self.magic + data[4:]))
        elif code == TERMINATE_REQUEST:
            sys.exit(0)

    def tick(self, now):
        """what is due; → whether there is more to come"""
        if now < self.due:
            return True
        if not self.opened:
            self.say(lcp(CONFIGURE_REQUEST, 1, bytes([MAGIC_NUMBER, 6]) + self.magic))
            self.due = now + RESTART
        elif self.echoes is not None:
            if self.echoes == 0:
                return False
            self.ident = self.ident % 255 + 1
            self.echoes -= 1
            self.say(lcp(ECHO_REQUEST, self.ident, self.magic + bytes(192)))
            self.due = now + self.seconds
        else:
            self.due = now + 3600
        return True


def main():
    named = len(sys.argv) > 1 and sys.argv[1].startswith("/dev/")
    end = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY) if named else 0
    if os.isatty(end):
        tty.setraw(end)
    echoes = os.environ.get("WMLAB_ECHOES")
    count, seconds = echoes.split(":") if echoes else (None, 0)
    link = Link(end if named else 1, count and int(count), float(seconds))
    left = b""
    while link.tick(time.monotonic()):
        if select.select([end], [], [], 0.05)[0]:
            try:
                data = os.read(end, 65536)
            except OSError:
                return
            if not data:
                return
            packets, left = unframed(left + data)
            for packet in packets:
                link.heard(packet)


if __name__ == "__main__":
    main()
