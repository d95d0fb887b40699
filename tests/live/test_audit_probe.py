#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope audit probe` through boxes that are told what to do: test_audit_probe.py WMSCOPE ROOT

The table and the sentences are what the box was told: by the kernel's own filter, and by a box in user
space where no kernel does it.
"""
import json
import sys
import tempfile

from auditing import Bench, Forwarder, lines
from capturing import DONE, IO, USAGE, analyze, blocks

NAME = "blocked.example"
ALL = {"tls-name", "tls-name-split", "tls-name-bare", "tls-name-port", "tls-name-reverse", "http-host",
       "http-path", "dns-udp", "dns-tcp", "quic-initial", "residual-3tuple", "residual-4tuple",
       "residual-later"}


class Probe:
    def __init__(self, bench, wmscope, root, *args, only=(), repeat=2, residual=0):
        which = [a for one in only for a in ("--only", one)]
        status, out, err = bench.audit(
            wmscope, "probe", "-i", "c0", "-i", "s0", "--name", NAME, "--repeat", str(repeat),
            "--residual", str(residual), "--wait", "120", "--jsonl", "-", *which, *args)
        assert status == DONE, f"exit {status}: {err}"
        events = lines(out, root)
        assert events[-1]["probe"]["tester_lost_frames"] == 0, events[-1]
        self.says = {c["id"]: c["value"] for c in events[-1]["probe"]["conclusions"]}
        self.rows = {e["probe"]["id"]: e["probe"] for e in events[:-1]}
        assert set(self.rows) == set(only) or not only and set(self.rows) == ALL, self.rows

    def name(self, probe):
        return self.rows[probe]["of_name"]["outcome"]

    def outcomes(self):
        return {k: v["of_name"]["outcome"] for k, v in self.rows.items()}

    def controls_pass(self, but=()):
        for k, row in self.rows.items():
            if k not in but:
                assert row["of_controls"]["outcome"] == "passed", (k, row)


def test_wire(bench, wmscope, root):
    bench.bridge()
    with tempfile.TemporaryDirectory() as folder:
        p = Probe(bench, wmscope, root, "-o", folder + "/out", repeat=1)
        p.controls_pass()
        assert set(p.outcomes().values()) == {"passed"}, p.outcomes()
        assert p.says == {"tls-name": "no", "http-host": "no", "http-path": "no", "dns-name": "no",
                          "quic-name": "no"}, p.says
        # What was played is what analysis reads: names over TLS, HTTP, DNS and QUIC.
        path = folder + "/out/client.pcapng"
        assert len(blocks(path)) > 100
        status, events = analyze(wmscope, [path], "--vantage", "client")
        assert status == DONE, [e for e in events if e["event_type"] == "finding"]
        apps = {}
        for e in events:
            if e["event_type"] == "flow":
                apps.setdefault(e["app_proto"], set()).add((e.get("tls") or {}).get("sni"))
        assert {"tls", "http", "dns", "quic"} <= set(apps), apps
        assert NAME in apps["tls"] and NAME in json.dumps([e for e in events if
                                                           e.get("app_proto") == "quic"]), apps
    bench.unbridge()
    print("a wire: all passes, and analysis reads what was played")


def string(*more, name=NAME):
    return ["iptables", "-A", "FORWARD", *more, "-m", "string", "--algo", "bm", "--string", name]


def test_kernel(bench, wmscope, root):
    """A router that asks for our addresses, and the kernel's filter in it."""
    for link, net in ("bc", "192.0.2.250/24"), ("bs", "198.51.100.250/24"):
        bench.tell("ip", "addr", "add", net, "dev", link)
    macs = ["--dst-mac", f"{bench.mac(bench.box, 'bc')},{bench.mac(bench.box, 'bs')}"]
    p = Probe(bench, wmscope, root, *macs, repeat=1)
    p.controls_pass()
    assert set(p.outcomes().values()) == {"passed"}, p.outcomes()

    bench.tell(*string("-p", "tcp", "--dport", "443"), "-j", "REJECT", "--reject-with", "tcp-reset")
    p = Probe(bench, wmscope, root, *macs)
    p.controls_pass()
    # Segment by segment, whoever sends it, without a connection; nothing but port 443.
    want = {k: "passed" for k in ALL}
    want.update({k: "reset_client" for k in ("tls-name", "tls-name-bare", "tls-name-reverse")})
    assert p.outcomes() == want, p.outcomes()
    assert p.says == {"tls-name": "yes", "http-host": "no", "http-path": "no", "dns-name": "no",
                      "quic-name": "no", "reassembles": "no", "acts-without-handshake": "yes",
                      "acts-on-other-ports": "no", "acts-on-both-directions": "yes",
                      "residual-3tuple": "no", "residual-4tuple": "no"}, p.says
    bench.clear()

    bench.tell(*string("-p", "tcp", "--dport", "80", name="Host: " + NAME), "-j", "DROP")
    bench.tell("iptables", "-A", "FORWARD", "-p", "udp", "--dport", "53", "-m", "string", "--algo",
               "bm", "--hex-string", "|07|blocked|07|example", "-j", "DROP")
    p = Probe(bench, wmscope, root, *macs, only=["http-host", "http-path", "dns-udp", "dns-tcp"])
    p.controls_pass()
    assert p.outcomes() == {"http-host": "dropped", "http-path": "passed", "dns-udp": "dropped",
                            "dns-tcp": "passed"}, p.outcomes()
    assert p.says["dns-over-tcp"] == "no", p.says
    bench.clear()

    # For all names alike: said of no name.
    bench.tell("iptables", "-A", "FORWARD", "-p", "udp", "--dport", "443", "-j", "DROP")
    p = Probe(bench, wmscope, root, *macs, only=["quic-initial"])
    assert p.rows["quic-initial"]["verdict"] == "not_for_the_name" and "quic-name" not in p.says, p.rows
    bench.clear()

    # After the name the pair of hosts is shut for a while.
    bench.tell("iptables", "-A", "FORWARD", "-m", "recent", "--name", "bad", "--rcheck", "--seconds", "2",
               "--rsource", "-p", "tcp", "--dport", "443", "-j", "DROP")
    bench.tell(*string("-p", "tcp", "--dport", "443"), "-m", "recent", "--name", "bad", "--set",
               "--rsource", "-j", "DROP")
    p = Probe(bench, wmscope, root, *macs, residual=3500, repeat=1,
              only=["tls-name", "residual-3tuple", "residual-4tuple", "residual-later"])
    p.controls_pass()
    assert p.outcomes() == {"tls-name": "dropped", "residual-3tuple": "dropped",
                            "residual-4tuple": "dropped", "residual-later": "passed"}, p.outcomes()
    assert p.says["residual-3tuple"] == "yes" and p.says["residual-lasts"] == "no", p.says
    bench.clear()
    print("a router's filter: resets, drops by host and query, all of QUIC, for a while after the name")


def dns_forged(frame, up):
    """An answer to each query for the name, before the other one; nothing is kept back."""
    if up and frame[23] == 17 and frame[36:38] == b"\0\x35" and b"\7blocked\7example" in frame:
        answer = frame[6:12] + frame[:6] + frame[12:26] + frame[30:34] + frame[26:30] + \
            frame[36:38] + frame[34:36] + frame[38:44] + b"\x81\x80" + frame[46:]
        return [(0, False, answer), (0, up, frame)]
    return [(0, up, frame)]


def checksummed(head, payload):
    """A TCP segment over IPv4, from the headers of another one."""
    head = bytearray(head[:54])
    n = 40 + len(payload)
    head[16:18] = n.to_bytes(2, "big")
    head[46] = 0x50
    return bytes(head) + payload


def swapped(frame):
    """The headers of an answer to that segment."""
    length = int.from_bytes(frame[16:18], "big") - 40
    seq = int.from_bytes(frame[38:42], "big")
    return frame[6:12] + frame[:6] + frame[12:26] + frame[30:34] + frame[26:30] + frame[36:38] + \
        frame[34:36] + frame[42:46] + ((seq + length) % 2**32).to_bytes(4, "big") + frame[46:54]


def paged(frame, up):
    if up and frame[23] == 6 and b"Host: " + NAME.encode() in frame:
        page = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        return [(0, False, checksummed(swapped(frame), page))]
    return [(0, up, frame)]


def stateful():
    """Puts each connection's bytes together, once it has seen a handshake; resets both ends."""
    seen, bytes_of = set(), {}

    def edit(frame, up):
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return [(0, up, frame)]
        key = frozenset((frame[26:30] + frame[34:36], frame[30:34] + frame[36:38]))
        if frame[47] == 0x12:
            seen.add(key)
        length = int.from_bytes(frame[16:18], "big") - 20 - (frame[46] >> 4) * 4
        if not up or key not in seen or length == 0:
            return [(0, up, frame)]
        bytes_of[key] = bytes_of.get(key, b"") + frame[54:54 + length]
        if NAME.encode() not in bytes_of[key]:
            return [(0, up, frame)]
        rst = bytearray(checksummed(frame, b""))
        back = bytearray(checksummed(swapped(frame), b""))
        rst[47] = back[47] = 0x04
        return [(0, up, frame), (0, True, bytes(rst)), (0, False, bytes(back))]
    return edit


def sometimes():
    n = [0]

    def edit(frame, up):
        if up and frame[23] == 6 and NAME.encode() in frame:
            n[0] += 1
            # The copies of one request fare alike.
            return [] if n[0] % 4 in (1, 2, 3) else [(0, up, frame)]
        return [(0, up, frame)]
    return edit


def test_edits(wmscope, root):
    with Bench("f") as bench:
        with Forwarder(bench, dns_forged):
            p = Probe(bench, wmscope, root, only=["dns-udp", "dns-tcp"])
            p.controls_pass()
            assert p.outcomes() == {"dns-udp": "forged", "dns-tcp": "passed"}, p.outcomes()
        with Forwarder(bench, paged):
            p = Probe(bench, wmscope, root, only=["http-host", "http-path"])
            p.controls_pass()
            assert p.outcomes() == {"http-host": "page", "http-path": "passed"}, p.outcomes()
        with Forwarder(bench, stateful()):
            p = Probe(bench, wmscope, root, only=["tls-name", "tls-name-split", "tls-name-bare",
                                                  "tls-name-port", "tls-name-reverse"])
            p.controls_pass()
            assert p.outcomes() == {
                "tls-name": "reset_both", "tls-name-split": "reset_both", "tls-name-bare": "passed",
                "tls-name-port": "reset_both", "tls-name-reverse": "passed"}, p.outcomes()
            assert p.says == {"tls-name": "yes", "reassembles": "yes", "acts-without-handshake": "no",
                              "acts-on-other-ports": "yes", "acts-on-both-directions": "no"}, p.says
        with Forwarder(bench, sometimes()):
            p = Probe(bench, wmscope, root, only=["tls-name"], repeat=4)
            assert p.name("tls-name") == "unsteady" and not p.says, p.rows
    print("a forged answer, a page, a box that reassembles and wants a handshake, and one of moods")


def test_usage(bench, wmscope):
    ports = ["-i", "c0", "-i", "s0"]
    for status, args in ((USAGE, ports), (USAGE, ["-i", "c0", "--name", NAME]),
                         (USAGE, [*ports, "--name", ""]), (USAGE, [*ports, "--name", "a" * 300]),
                         (USAGE, [*ports, "--name", NAME, "--control", NAME]),
                         (USAGE, [*ports, "--name", NAME, "--only", "nothing"]),
                         (USAGE, [*ports, "--name", NAME, "file.pcap"]),
                         (IO, ["-i", "c0", "-i", "nosuch0", "--name", NAME])):
        code, _, err = bench.audit(wmscope, "probe", *args)
        assert code == status and err, f"{args}: exit {code}: {err}"
    bench.run(bench.tester, "ip", "addr", "add", "10.9.0.1/24", "dev", "s0")
    code, _, err = bench.audit(wmscope, "probe", *ports, "--name", NAME)
    assert code == IO and "yes-this-interface" in err, f"exit {code}: {err}"
    bench.run(bench.tester, "ip", "addr", "del", "10.9.0.1/24", "dev", "s0")


def main():
    wmscope, root = sys.argv[1:]
    test_edits(wmscope, root)
    with Bench() as bench:
        test_wire(bench, wmscope, root)
        test_usage(bench, wmscope)
        test_kernel(bench, wmscope, root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
