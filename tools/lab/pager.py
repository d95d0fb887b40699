# SPDX-License-Identifier: BSD-3-Clause
"""Answers HTTP requests that pass by in the server's name, with a page from a file.

usage: pager.py IFACE RULE...      a rule: HOST,page=FILE,KEY=VALUE,... for that host (.HOST: and all below it)

  end=TEXT            only where the path ends so
  ttl=N ipid=N df=0   the IP header's fields (64, random, 1)
  window=N            of TCP (65535)
  ts=1                the timestamp option as a real answer would have it, else no options
  fin=0               the connection stays open after the page
  split=N             segments of N bytes, else one
  rst=MS              and that much after the page a reset to the server in the client's name
  after=MS            wait that long
  alone=1             nobody else will talk to the client: its FIN is acknowledged too
"""
import random
import re
import struct
import sys

import packets
from capture import ACK, FIN, PSH, RST, TCP

REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.[01]\r\n(?:.*\r\n)*?Host: ([^\r:]+)")
TIMESTAMP = 8       # kind of the option, RFC 7323


class Rule:
    def __init__(self, text):
        self.host, *words = text.split(",")
        self.knobs = dict(word.split("=", 1) for word in words)
        with open(self.knobs["page"], "rb") as file:
            self.page = file.read()

    def flag(self, name, default="0"):
        return self.knobs.get(name, default) == "1"

    def number(self, name, default):
        return int(self.knobs.get(name, default), 0)

    def fits(self, path, host):
        return path.endswith(self.knobs.get("end", "")) and \
            (host == self.host or (self.host[0] == "." and ("." + host).endswith(self.host)))


def timestamps(frame):
    """(TSval, TSecr) of a segment, or None"""
    at, options = 0, frame.options
    while at + 1 < len(options):
        if options[at] == 1:
            at += 1
        elif options[at] == TIMESTAMP and at + 10 <= len(options):
            return struct.unpack_from("!II", options, at + 2)
        else:
            at += max(2, options[at + 1])
    return None


class Pager:
    def __init__(self, rules):
        self.rules, self.open, self.dice = rules, {}, random.Random()

    def to_client(self, frame, rule, seq, ack, flags, payload=b""):
        stamps = timestamps(frame)
        options = b""
        if rule.flag("ts") and stamps:
            options = struct.pack("!BBBBII", 1, 1, TIMESTAMP, 10, (stamps[1] + 40) % 2**32, stamps[0])
        body = packets.segment(frame.dport, frame.sport, seq, ack, flags,
                               rule.number("window", "65535"), options, payload)
        ipid = rule.number("ipid", str(self.dice.randrange(1, 65536)))
        return packets.packet(frame.dst, frame.src, TCP, body, rule.number("ttl", "64"), ipid,
                              rule.flag("df", "1"))

    def answer(self, frame, rule, sender):
        size = rule.number("split", str(len(rule.page)))
        wait = rule.number("after", "0") / 1e3
        for at in range(0, len(rule.page), size):
            last = at + size >= len(rule.page)
            flags = ACK | (PSH | (FIN if rule.flag("fin", "1") else 0) if last else 0)
            sender.send(self.to_client(frame, rule, frame.ack + at, frame.end, flags,
                                       rule.page[at:at + size]), wait)
        if "rst" in rule.knobs:
            body = packets.segment(frame.sport, frame.dport, frame.end if not rule.flag("alone") else
                                   frame.seq, 0, RST, 0)
            sender.send(packets.packet(frame.src, frame.dst, TCP, body,
                                       rule.number("ttl", "64"), 0, True),
                        wait + rule.number("rst", "0") / 1e3)
        if rule.flag("alone"):
            self.open[frame.pair] = rule, frame.ack + len(rule.page) + rule.flag("fin", "1")

    def seen(self, frame, sender):
        if frame.proto != TCP or frame.dport != 80:
            return
        if frame.flags & FIN and frame.pair in self.open:
            rule, seq = self.open[frame.pair]
            more = 0 if rule.flag("fin", "1") else FIN
            sender.send(self.to_client(frame, rule, seq, frame.end, ACK | more))
        asked = REQUEST.match(frame.payload)
        if asked:
            path, host = (part.decode("latin-1") for part in asked.groups())
            rule = next((r for r in self.rules if r.fits(path, host)), None)
            if rule:
                self.answer(frame, rule, sender)


if __name__ == "__main__":
    packets.watch(sys.argv[1], Pager([Rule(text) for text in sys.argv[2:]]).seen)
