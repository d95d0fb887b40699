#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lab's reading and writing of packets, and what its ground truth makes of them: lab_truth.py LAB

No network: frames are made as the lab's boxes make them and read as its captures are read.
"""
import struct
import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import capture
import dnstruth
import names
import packets
import pagetruth
import tunneltruth
import wording
from capture import ACK, FIN, PSH, SYN, TCP, UDP

CLIENT, SERVER = "192.0.2.10", "203.0.113.10"
MS = 10**6
STAMP = struct.pack("!BBBBII", 1, 1, 8, 10, 7, 9)


def frame(raw, at=0, fate=None):
    one = capture.Frame()
    capture.network(one, raw)
    one.ts, one.fate = at * MS, fate
    return one


def query(at=0, port=4000, txid=0x1234, name="blocked.example"):
    body = packets.datagram(port, 53, names.query(txid, name, opt=True))
    return frame(packets.packet(CLIENT, SERVER, UDP, body), at)


def answer(at, text, fate=None, ttl=53, flags=0x8180, opt=True, port=4000, txid=0x1234, rcode=0):
    question = names.Message(names.query(txid, "blocked.example")).question
    records = [names.address_record(text)] if text else []
    message = names.write(txid, flags | rcode, question, records, [names.opt_record()] if opt else [])
    body = packets.datagram(53, port, message)
    return frame(packets.packet(SERVER, CLIENT, UDP, body, ttl), at, fate)


def segment(src, at, seq, payload=b"", flags=ACK, stamp=True, fate=None):
    ends = (CLIENT, SERVER, 5000, 80) if src == CLIENT else (SERVER, CLIENT, 80, 5000)
    body = packets.segment(ends[2], ends[3], seq, 1, flags, options=STAMP if stamp else b"",
                           payload=payload)
    return frame(packets.packet(ends[0], ends[1], TCP, body), at, fate)


class Packets(unittest.TestCase):
    def test_checksum(self):
        # RFC 1071, section 3: the sum of these is ddf2.
        self.assertEqual(packets.checksum(bytes.fromhex("0001f203f4f5f6f7")), 0xddf2 ^ 0xffff)

    def test_both_versions_come_back(self):
        for src, dst in ((CLIENT, SERVER), ("2001:db8::1", "2001:db8::2")):
            for proto, body in ((UDP, packets.datagram(53, 9, b"odd")),
                                (TCP, packets.segment(80, 9, 5, 6, PSH | ACK, payload=b"odd"))):
                one = frame(packets.packet(src, dst, proto, body, ttl=77))
                self.assertEqual((one.src, one.dst, one.ttl, one.payload), (src, dst, 77, b"odd"))
                # A receiver's sum over pseudo header and segment, checksum included, is nought.
                raw = packets.packet(src, dst, proto, body)[-len(body):]
                ends = b"".join(packets.ipaddress.ip_address(a).packed for a in (src, dst))
                whole = ends + struct.pack("!II", len(body), proto) + raw
                self.assertEqual(packets.checksum(whole), 0)

    def test_ip_header_sum(self):
        raw = packets.packet(CLIENT, SERVER, UDP, packets.datagram(1, 2, b""), ipid=0x1234, df=False)
        self.assertEqual(packets.checksum(raw[:20]), 0)
        self.assertEqual(raw[6:8], b"\0\0")


class Messages(unittest.TestCase):
    def test_written_and_read(self):
        one = names.message_of(answer(0, "203.0.113.9", rcode=names.NXDOMAIN))
        self.assertEqual((one.qname, one.qtype, one.txid), ("blocked.example", names.A, 0x1234))
        self.assertEqual((one.addresses, one.opt, one.flags & 15), (["203.0.113.9"], True, 3))

    def test_not_messages(self):
        good = names.query(1, "a.example")
        for bad in (b"", good[:20], good[:12] + b"\xc0\x0c" + good[-4:], good[:4] + b"\0\2" + good[6:]):
            with self.assertRaises(ValueError):
                names.Message(bad)

    def test_order_says_nothing(self):
        question = names.Message(names.query(1, "a.example")).question
        records = [names.address_record(f"192.0.2.{n}") for n in (1, 2)]
        one, two = (names.Message(names.write(1, 0x8180, question, r)) for r in (records, records[::-1]))
        self.assertEqual(one.says, two.says)


class DnsVerdict(unittest.TestCase):
    def verdict(self, frames, others=(), side=None):
        return dnstruth.verdict(frames, list(others) + frames, SERVER, side)[0]

    def usual(self, count):
        for n in range(count):
            yield query(1000 + 100 * n, 5000 + n)
            yield answer(1040 + 100 * n, SERVER, port=5000 + n)

    def test_race(self):
        late = answer(40, SERVER)
        for knobs, least in (({"ttl": 63}, "likely"), ({"flags": 0x8580}, "likely"), ({"opt": False}, "likely"),
                             ({}, "anomaly"), ({"ttl": 54}, "anomaly")):
            self.assertEqual(self.verdict([query(), answer(12, "127.0.0.1", "forged", **knobs), late]), least)

    def test_too_late(self):
        self.assertEqual(self.verdict([query(), answer(40, SERVER), answer(50, "127.0.0.1", "forged", 63)]),
                         "anomaly")

    def test_elsewhere(self):
        self.assertIsNone(self.verdict([query(), answer(40, SERVER)]))

    def test_resent(self):
        twice = [query(), query(20), answer(30, "198.51.100.7", "forged", 63), answer(60, SERVER)]
        self.assertIsNone(self.verdict(twice))      # two queries, two answers

    def test_copies_are_no_queries(self):
        again = query()
        again.copy = True
        self.assertEqual(self.verdict([query(), again, answer(12, "127.0.0.1", "forged", 63), answer(40, SERVER)]),
                         "likely")

    def test_alone(self):
        for text, count, at, ttl, least in (
                ("198.51.100.7", 9, 12, 53, None), ("198.51.100.7", 10, 12, 53, "anomaly"),
                ("198.51.100.7", 10, 30, 53, None), ("198.51.100.7", 10, 30, 64, "anomaly"),
                ("10.1.1.1", 0, 40, 53, "inconclusive"), ("127.0.0.1", 10, 12, 64, "anomaly")):
            frames = [query(), answer(at, text, "forged", ttl)]
            self.assertEqual(self.verdict(frames, self.usual(count)), least, (text, count, at, ttl))


class PageVerdict(unittest.TestCase):
    FLOW = type("Flow", (), {"server": (SERVER, 80)})

    def opened(self, fate=None, stamp=True):
        return [segment(CLIENT, 0, 0, flags=SYN, stamp=stamp),
                segment(SERVER, 40, 0, flags=SYN | ACK, stamp=stamp, fate=fate),
                segment(CLIENT, 41, 1, b"GET / HTTP/1.1\r\n\r\n", stamp=stamp)]

    def verdict(self, *frames, **knobs):
        return pagetruth.verdict(self.opened(**knobs) + list(frames), self.FLOW, None)[0]

    def forged(self, at=50, stamp=True, text=b"HTTP/1.1 403 Forbidden\r\n\r\n"):
        return segment(SERVER, at, 1, text, ACK | FIN, stamp, "forged")

    def test_timestamps_agreed_on(self):
        self.assertEqual(self.verdict(self.forged(stamp=False)), "likely")
        self.assertIsNone(self.verdict(self.forged()))
        self.assertIsNone(self.verdict(self.forged(stamp=False), stamp=False))

    def test_race(self):
        other = segment(SERVER, 90, 1, b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(self.verdict(self.forged(), other), "likely")
        other.ts = 45 * MS
        self.assertEqual(self.verdict(self.forged(), other), "inconclusive")

    def test_box_is_the_server(self):
        self.assertIsNone(self.verdict(self.forged(), fate="forged"))
        self.assertEqual(self.verdict(self.forged(text=b"HTTP/1.1 403 F\r\n\r\n" + pagetruth.KNOWN), fate="forged"),
                         "inconclusive")

    def test_only_http_has_pages(self):
        alert = self.forged()
        alert.sport = 443
        self.assertEqual(pagetruth.pages([alert], SERVER), [])


class Tunnels(unittest.TestCase):
    def said(self, at, payload, src=CLIENT, fate=None):
        ends = (5000, 51820) if src == CLIENT else (51820, 5000)
        dst = SERVER if src == CLIENT else CLIENT
        return frame(packets.packet(src, dst, UDP, packets.datagram(*ends, payload)), at, fate)

    def test_first_messages(self):
        wireguard = b"\1\0\0\0" + bytes(144)
        self.assertEqual(tunneltruth.datagram(wireguard), "wireguard")
        self.assertIsNone(tunneltruth.datagram(wireguard + b"\0"))
        self.assertEqual(tunneltruth.datagram(b"\x38" + bytes(13)), "openvpn")
        self.assertIsNone(tunneltruth.datagram(b"\x39" + bytes(13)))    # key 1: not a first message
        self.assertIsNone(tunneltruth.datagram(b"\x40" + bytes(13)))    # a server's

    def test_first_messages_of_ipsec_and_dialup(self):
        head = b"\1" * 8 + bytes(8) + b"\x21\x20\x22\x08" + bytes(4)
        init = head + struct.pack("!I", 40) + bytes(12)
        auth = init[:18] + b"\x23" + init[19:]
        self.assertEqual([tunneltruth.datagram(m) for m in (init, bytes(4) + init, bytes(4) + auth)], ["ike"] * 3)
        self.assertIsNone(tunneltruth.datagram(init + b"\0"))               # its length is not its own
        self.assertIsNone(tunneltruth.datagram(init[:19] + b"\x20" + init[20:]))    # a response
        sccrq = b"\xc8\2\0\x14" + bytes(8) + b"\x80\x08" + bytes(5) + b"\1"
        self.assertEqual(tunneltruth.datagram(sccrq), "l2tp")
        self.assertIsNone(tunneltruth.datagram(sccrq[:-1] + b"\2"))         # its answer

    def gre(self, src, at, fate=None):
        dst = SERVER if src == CLIENT else CLIENT
        return frame(packets.packet(src, dst, capture.GRE, b"\x30\1\x88\x0b" + bytes(12)), at, fate)

    def test_gre_is_of_the_control_connection(self):
        request = b"\0\x9c\0\1\x1a\x2b\x3c\x4d" + bytes(148)
        control = frame(packets.packet(CLIENT, SERVER, TCP, packets.segment(5000, 1723, 1, 1, ACK, payload=request)))
        self.assertEqual(tunneltruth.protocol([control], CLIENT), "pptp")
        before, after = self.gre(CLIENT, 0), self.gre(SERVER, 2)
        tunneltruth.carried([before, control, after], lambda f: (f.src, f.sport))
        self.assertEqual((before.flow, after.flow), (None, (CLIENT, 5000)))

    def test_one_way(self):
        asked = [self.gre(CLIENT, at) for at in range(10)]
        self.assertEqual(tunneltruth.one_way(asked, CLIENT, SERVER), asked)
        self.assertEqual(tunneltruth.one_way(asked[1:], CLIENT, SERVER), [])
        self.assertEqual(tunneltruth.one_way([*asked, self.gre(SERVER, 0.5)], CLIENT, SERVER), [])
        lost = self.gre(SERVER, 11, "dropped")
        self.assertEqual(tunneltruth.one_way([*asked, lost], CLIENT, SERVER), asked)

    def test_silence(self):
        data, ping = b"\4" + bytes(99), b"\4" + bytes(31)
        heard = self.said(1000, data, SERVER)
        lost = [self.said(at, data, fate="dropped") for at in (2000, 3000, 16000)]
        self.assertEqual(tunneltruth.silence([heard, *lost], CLIENT, SERVER, 17000 * MS), lost)
        soon = [*lost[:2], self.said(15999, data, fate="dropped")]
        self.assertEqual(tunneltruth.silence([heard, *soon], CLIENT, SERVER, 17000 * MS), [])
        short = [*lost[:2], self.said(16000, ping, fate="dropped")]
        self.assertEqual(tunneltruth.silence([heard, *short], CLIENT, SERVER, 17000 * MS), [])
        # It is all the same whether the question or its answer was dropped.
        passed = [self.said(at, data) for at in (2000, 3000, 16000)]
        self.assertEqual(tunneltruth.silence([heard, *passed], CLIENT, SERVER, 17000 * MS), passed)
        self.assertEqual(tunneltruth.silence([*passed, self.said(16100, data, SERVER, "dropped")], CLIENT, SERVER,
                                             31100 * MS), passed)
        # Of what was never answered the captures' end counts, since tries come ever more rarely.
        self.assertEqual(tunneltruth.silence(lost[:2] + soon[2:], CLIENT, SERVER, 17000 * MS), lost[:2] + soon[2:])
        self.assertEqual(tunneltruth.silence(lost[:2] + soon[2:], CLIENT, SERVER, 16999 * MS), [])


class Unseen(unittest.TestCase):
    def test_what_went_by_is_seen(self):
        plain, forged = segment(CLIENT, 0, 1, b"x"), segment(SERVER, 9, 1, flags=capture.RST, fate="forged")
        lost = segment(CLIENT, 5, 1, b"x", fate="dropped")
        for kind, frames, view in (("inject", [plain, forged], "client"), ("drop", [plain, lost], "server"),
                                   ("drop", [plain], "client")):
            self.assertIsNone(wording.unseen(kind, frames, view))

    def test_what_did_not_is_said_to_be_nothing(self):
        plain = segment(CLIENT, 0, 1, b"x")
        for kind, view in (("inject", "client"), ("inject", "server"), ("drop", "server")):
            self.assertTrue(wording.unseen(kind, [plain], view).startswith(wording.NOTHING + ": "))


if __name__ == "__main__":
    unittest.main()
