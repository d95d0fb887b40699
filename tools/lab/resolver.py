# SPDX-License-Identifier: BSD-3-Clause
"""A resolver with habits that dnsmasq does not have, all of them honest.

usage: resolver.py ADDRESS HABIT...

  rotate     another name first (CNAME, twice), then three of eight addresses, others each time
  slow=MS    answers that late, so that an impatient client asks again
  deaf=N     hears only every Nth datagram
  noedns     knows nothing of EDNS: no such record in its answers (RFC 6891, section 7)
  servfail   cannot say
  shuffle    the same addresses each time, in another order
"""
import random
import socket
import sys
import threading

import names

POOL = [f"198.51.100.{n}" for n in range(101, 109)]
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0


def chain(query, edge, ttl):
    """the records of two steps to the name that has the addresses, and that name"""
    first = names.write_name("www." + query.qname + ".edge.example")
    last = names.write_name(edge + ".pop.example")
    return [names.record(names.CNAME, first, 300), names.record(names.CNAME, last, ttl, first)], last


def answer(query, habits, turn, dice):
    more = [names.opt_record()] if query.opt and "noedns" not in habits else []
    if "servfail" in habits:
        return names.write(query.txid, 0x8180 | names.SERVFAIL, query.question, (), more)
    records = []
    if query.qtype == names.A and "rotate" in habits:
        ttl = dice.randrange(5, 31)
        records, owner = chain(query, f"edge{turn % 4}", ttl)
        records += [names.address_record(POOL[(3 * turn + n) % 8], ttl, owner) for n in range(3)]
    elif query.qtype == names.A:
        pool = POOL[:3]
        if "shuffle" in habits:
            dice.shuffle(pool)
        records = [names.address_record(text, 20) for text in pool]
    return names.write(query.txid, 0x8180, query.question, records, more)


def main():
    habits = dict((word.split("=") + ["1"])[:2] for word in sys.argv[2:])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Without DF a Linux host counts its IP-IDs: two answers then differ in it, and are one host's.
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    sock.bind((sys.argv[1], names.PORT))
    dice, turn, heard = random.Random(1), 0, 0
    print("ready", flush=True)
    while True:
        data, client = sock.recvfrom(4096)
        heard += 1
        if heard % int(habits.get("deaf", "1")):
            continue
        try:
            reply = answer(names.Message(data), habits, turn, dice)
        except ValueError:
            continue
        turn += 1
        threading.Timer(int(habits.get("slow", "0")) / 1e3, sock.sendto, (reply, client)).start()


if __name__ == "__main__":
    main()
