# SPDX-License-Identifier: BSD-3-Clause
"""Answers DNS queries that pass by over UDP in the resolver's name.

usage: forger.py IFACE RULE...      a rule: NAME,KEY=VALUE,... for that name (.NAME: and all below it)

  a=ADDR, aaaa=ADDR   the answer to such a question (both: one each); a question of neither is left alone
  rcode=N             no address, this code instead, to every question
  ttl=N ipid=N df=0   the IP header's fields (64, random, 1)
  flags=0xNNNN        the flag word (0x8180); rrttl=N the record's TTL (60)
  opt=1               an EDNS record, where the query had one
  plain=1             the owner's name in full, not a pointer
  after=MS            wait that long

Every rule that fits sends an answer of its own, in their order.
"""
import random
import sys

import names
import packets
from capture import UDP


def read_rule(text):
    name, *words = text.split(",")
    return name, dict(word.split("=", 1) for word in words)


def reply(query, rule):
    """the forged message, or None where the rule has nothing to say to this question"""
    flags = int(rule.get("flags", "0x8180"), 0) & ~15 | int(rule.get("rcode", "0"))
    more = [names.opt_record()] if rule.get("opt") == "1" and query.opt else []
    text = {names.A: rule.get("a"), names.AAAA: rule.get("aaaa")}.get(query.qtype)
    if "rcode" in rule:
        return names.write(query.txid, flags, query.question, (), more)
    if text is None:
        return None
    owner = names.write_name(query.qname) if rule.get("plain") == "1" else names.POINTER
    answer = names.address_record(text, int(rule.get("rrttl", "60")), owner)
    return names.write(query.txid, flags, query.question, [answer], more)


def main():
    rules = [read_rule(text) for text in sys.argv[2:]]
    dice = random.Random()

    def seen(frame, sender):
        query = names.message_of(frame)
        if not query or query.is_response or (frame.proto, frame.dport) != (UDP, names.PORT):
            return
        for name, rule in rules:
            fits = query.qname == name.lstrip(".") or \
                (name.startswith(".") and query.qname.endswith(name))
            forged = reply(query, rule) if fits else None
            if forged is None:
                continue
            sender.send(packets.packet(
                frame.dst, frame.src, UDP, packets.datagram(frame.dport, frame.sport, forged),
                ttl=int(rule.get("ttl", "64")), df=rule.get("df", "1") == "1",
                ipid=int(rule["ipid"], 0) if "ipid" in rule else dice.randrange(1, 65536)),
                float(rule.get("after", "0")) / 1e3)

    packets.watch(sys.argv[1], seen)


if __name__ == "__main__":
    main()
