#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope audit run` through boxes that the kernel makes: test_audit_run.py WMSCOPE ROOT

A capture of pcaps/ goes through a wire, a router, and boxes told to reset, drop, rewrite, delay or add;
audit says what the box was told to do, and nothing of a wire. What the tester loses is no drop.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from html_page import check_markup
from auditing import Bench, Forwarder, lines
from capturing import DONE, FINDINGS, IO, PARTIAL, USAGE, blocks, inside, packets

CLIENT, SERVER, PROXY = "192.0.2.10", "203.0.113.10", "192.0.2.1"
NAME = "blocked.example"


class Run:
    """One audit run and what it said."""

    def __init__(self, bench, wmscope, root, capture, *args, want):
        self.capture = f"{root}/pcaps/{capture}"
        self.status, out, self.err = bench.audit(
            wmscope, "run", "-i", "c0", "-i", "s0", "--no-lists", "--no-ndpi", "-q", "--jsonl", "-",
            "-r", "x3", *args, self.capture)
        assert self.status in want, f"exit {self.status}: {self.err}"
        self.events = lines(out, root)
        self.audit = self.events[0]["run"]["audit"]
        self.findings = [e for e in self.events if e["event_type"] == "finding"]

    def frames(self, way):
        return self.audit["from_" + way]["frames"]

    def total(self, fate):
        return self.frames("client")[fate] + self.frames("server")[fate]

    def dropped(self):
        """Of what clients sent, but for what no router passes on."""
        return self.frames("client")["dropped"] - self.audit["from_client"]["not_routable"]

    def ids(self):
        return {(e["finding"]["id"], e["finding"]["verdict"]) for e in self.findings}

    def untouched(self, hops=0):
        sent = len(packets(self.capture)) if self.capture.endswith("pcap") else None
        assert not self.findings, self.findings
        assert not self.audit["touched"], self.audit["touched"]
        for way in "client", "server":
            f = self.frames(way)
            local = self.audit["from_" + way]["not_routable"] # which only a bridge passes on
            assert f["sent"] == f["same"] + local > local and local <= (4 if hops else 0), f
            assert not any(f["changed"].values()), f
            assert self.audit["from_" + way]["hops"] == hops, self.audit
        assert sent is None or self.total("sent") == sent, (self.total("sent"), sent)


def rows_of(page, caption):
    """The table's rows as lists of cells."""
    at = next(i for i, (tag, a, _) in enumerate(page.tags) if tag == "div" and a.get("aria-label") == caption)
    rows = []
    for tag, _, text in page.tags[at + 1:]:
        if tag == "div":
            break
        if tag == "tr":
            rows.append([])
        elif tag in ("td", "th"):
            rows[-1].append("".join(page.texts[text:text + 1]).strip())
    return rows


def check_page(run, path):
    """The page has the totals of the ledger."""
    with open(path, encoding="utf-8") as f:
        page, wrong = check_markup(f.read())
    assert not wrong, wrong
    head, *rows = rows_of(page, "What became of the frames")
    assert [r[0] for r in rows] == ["from the client", "from the server"], rows
    keys = ("Sent", "sent"), ("The same", "same"), ("Dropped", "dropped"), ("Injected", "injected")
    for way, row in zip(("client", "server"), rows):
        shown = dict(zip(head, row))
        for title, key in keys:
            assert int(shown.get(title, "0").replace(",", "")) == run.frames(way)[key], (way, title, shown)
    touched = len(run.audit["touched"])
    assert f"{touched} of them not as sent" in "".join(page.texts), touched
    if touched:
        table = rows_of(page, "Conversations that did not come through as they were sent")
        assert len(table) == 1 + 2 * touched, table


def names(run, fate):
    """Triggers of the findings about packets of that fate."""
    return {e["finding"]["trigger"].get("value") for e in run.findings
            if all(p["fate"] == fate for p in e["finding"]["compare"]["packets"])}


def string(name=NAME, *more):
    return ["iptables", "-A", "FORWARD", "-p", "tcp", *more, "-m", "string", "--algo", "bm", "--string",
            name]


def test_wire(bench, wmscope, root):
    bench.bridge()
    # The second has forged resets in it: they are the capture's, and not the wire's.
    for capture in "tls-proxy/client.pcap", "sni-rst-onpath/client.pcap", "fetch-dns/client.pcap":
        run = Run(bench, wmscope, root, capture, want=[DONE])
        run.untouched()
    assert run.audit["answers_early"] == 0, run.audit
    run = Run(bench, wmscope, root, "sni-rst-onpath/client.pcap", "-r", "max", want=[DONE])
    run.untouched()
    assert run.audit["findings_of_the_replay"] >= 3, run.audit
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        out = folder + "/out"
        run = Run(bench, wmscope, root, "tls-proxy/client.pcap", "-r", "max", "-o", out, want=[DONE])
        run.untouched()
        for side in "client", "server":
            assert len(blocks(f"{out}/{side}.pcapng")) == run.total("sent"), side
        with open(out + "/report.txt", encoding="utf-8") as f:
            text = f.read()
        assert "0 not as they were sent" in text and CLIENT not in text, text
        check_page(run, out + "/report.html")
    bench.unbridge()
    print("a wire: nothing was touched")


def test_router(bench, wmscope, root, macs):
    Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[DONE]).untouched(hops=1)
    bench.tell("iptables", "-t", "mangle", "-A", "FORWARD", "-j", "TTL", "--ttl-dec", "3")
    Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[DONE]).untouched(hops=4)
    bench.clear()
    bench.tell("iptables", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN", "SYN",
               "-j", "TCPMSS", "--set-mss", "1000")
    run = Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[DONE])
    syns = run.frames("client")["changed"]["mss"]
    assert not run.findings and syns > 0, run.findings
    assert run.frames("client")["changed"] == {**dict.fromkeys(run.frames("client")["changed"], 0),
                                               "mss": syns}
    bench.clear()
    print("a router: hops, and a clamped MSS that is no interference")


def test_reset(bench, wmscope, root, macs):
    bench.tell(*string(), "-j", "REJECT", "--reject-with", "tcp-reset")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        run = Run(bench, wmscope, root, "tls-proxy/client.pcap", "--html", folder + "/page.html", *macs,
                  want=[FINDINGS])
        check_page(run, folder + "/page.html")
    hellos = run.dropped()
    assert hellos > 0 and run.frames("server")["injected"] == hellos, run.audit
    assert run.ids() == {("two-sided-reset", "confirmed"), ("two-sided-drop", "confirmed")}, run.ids()
    assert names(run, "injected") == {NAME} == names(run, "dropped"), run.findings
    # Each frame of a finding is one that the port's capture has.
    assert len(run.audit["touched"]) == hellos, run.audit["touched"]
    bench.clear()
    print(f"{hellos} hellos dropped and answered with resets")


def test_drop(bench, wmscope, root, macs):
    bench.tell(*string(), "-j", "DROP")
    run = Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[FINDINGS])
    assert run.total("injected") == 0 and run.dropped() > 0, run.audit
    assert run.ids() == {("two-sided-drop", "likely")}, run.ids()
    assert names(run, "dropped") == {NAME}, run.findings
    bench.clear()
    # From then on, both ways: the connection is shut.
    bench.tell(*string(), "-j", "CONNMARK", "--set-mark", "1")
    bench.tell("iptables", "-A", "FORWARD", "-m", "connmark", "--mark", "1", "-j", "DROP")
    run = Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[FINDINGS])
    assert run.ids() == {("two-sided-drop", "confirmed")}, run.ids()
    assert {e["finding"]["direction"] for e in run.findings} == {"to_client", "to_server"}
    assert run.frames("server")["dropped"] > 0, run.audit
    bench.clear()
    # All of it: there is nothing that came through, and it is said all the same.
    bench.tell("iptables", "-P", "FORWARD", "DROP")
    run = Run(bench, wmscope, root, "tls-proxy/client.pcap", "--wait", "20", *macs, want=[FINDINGS])
    assert run.total("dropped") == run.total("sent") > 0, run.audit
    bench.tell("iptables", "-P", "FORWARD", "ACCEPT")
    print("drops: of a name, from then on, of all")


def test_others(bench, wmscope, root, macs):
    """Frames that nobody sent and that are of no conversation; broken ones; a copy of ours."""
    def noise():
        box = inside(bench.box, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        end = time.monotonic() + 1.2
        to = bytes.fromhex(bench.mac(bench.tester, "c0").replace(":", ""))
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 7, 0, 64, 6, 0, socket.inet_aton(SERVER),
                         socket.inet_aton(CLIENT))
        frames = [to * 2 + b"\x08\x00" + ip[:k] for k in range(0, 20, 3)]
        frames += [to * 2 + b"\x08\x00" + ip + bytes([255] * k) for k in (0, 3, 17, 40)]
        frames += [to * 2 + b"\x88\xcc" + bytes(46), to * 2 + b"\x86\xdd" + b"\x60" + bytes(12)]
        while time.monotonic() < end:
            for frame in frames:
                box.sendto(frame, ("bc", 0))
            time.sleep(0.02)

    other = threading.Thread(target=noise)
    other.start()
    run = Run(bench, wmscope, root, "tls-proxy/client.pcap", *macs, want=[DONE])
    other.join()
    assert not run.findings and not run.audit["touched"], run.findings
    assert run.audit["client"]["others"] > 20, run.audit["client"]
    print(f"{run.audit['client']['others']} frames of nobody's, and nobody is accused")


def test_edits(wmscope, root):
    """What no kernel does: a box in user space that is told frame by frame."""
    plain = lambda frame, up: [(0, up, frame)]

    def late(frame, up):
        return [(0.06 if up else 0, up, frame)]

    def again(frame, up):
        return [(0, up, frame), (0.001, up, frame)]

    def other_bytes(frame, up):
        """The first answer's bytes are others, and its checksum fits."""
        if not up and b"\x16\x03\x03" in frame[54:80] and len(frame) > 300:
            frame = bytearray(frame)
            frame[200:204] = frame[202:204] + frame[200:202]
        return [(0, up, bytes(frame))]

    def pieces(frame, up):
        """Long segments in two."""
        at = 14 + 20 + 32
        if len(frame) < 400 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return [(0, up, frame)]
        out, payload = [], frame[at:]
        for k, part in ((0, payload[:100]), (100, payload[100:])):
            head = bytearray(frame[:at])
            struct.pack_into("!H", head, 16, 52 + len(part))
            struct.pack_into("!I", head, 38, (struct.unpack_from("!I", head, 38)[0] + k) % 2**32)
            out.append((0, up, bytes(head) + part))
        return out

    def reset_rewritten(frame, up):
        """Answers lose their payload and become resets, under the same identification."""
        if not up and frame[12:14] == b"\x08\x00" and frame[23] == 6 and len(frame) > 400:
            head = bytearray(frame[:54])
            struct.pack_into("!H", head, 16, 40)
            head[46], head[47] = 0x50, 0x14
            frame = bytes(head)
        return [(0, up, frame)]

    def forger(frame, up):
        """An answer of its own to each query, sooner than the other one."""
        if up and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\0\x35":
            answer = frame[6:12] + frame[:6] + frame[12:26] + frame[30:34] + frame[26:30] + \
                frame[36:38] + frame[34:36] + frame[38:44] + b"\x81\x83" + frame[46:]
            return [(0, False, answer), (0, up, frame)]
        return [(0, up, frame)]

    def mirror(frame, up):
        """A loop: all comes back too."""
        return [(0, up, frame), (0, not up, frame)]

    with Bench("f") as bench:
        def through(edit, *args, capture="tls-proxy/client.pcap", want=DONE):
            with Forwarder(bench, edit):
                return Run(bench, wmscope, root, capture, *args, want=[want])

        through(plain).untouched()
        run = through(late)
        run.untouched()
        up, down = (run.audit["from_" + w]["transit_ms"]["median"] for w in ("client", "server"))
        assert 55 < up < 200 and down < 50 and run.audit["answers_waited"] > 5, run.audit
        assert run.audit["answers_early"] == 0, run.audit
        run = through(again)
        assert run.total("same") == run.total("sent") == run.total("duplicated"), run.audit
        assert not run.findings and len(run.audit["touched"]) == run.audit["conversations"]
        run = through(other_bytes, want=FINDINGS)
        assert run.ids() == {("two-sided-rewrite", "confirmed")}, run.ids()
        assert run.frames("server")["changed"]["payload"] == run.total("modified") > 0
        run = through(pieces)
        assert run.total("resegmented") > 5 and not run.findings, run.audit
        assert run.total("same") + run.total("resegmented") == run.total("sent"), run.audit
        run = through(reset_rewritten, want=FINDINGS)
        assert ("two-sided-rst-rewrite", "confirmed") in run.ids(), run.ids()
        run = through(forger, capture="fetch-dns/client.pcap", want=FINDINGS)
        dns = [e for e in run.findings if e["finding"]["family"] == "dns-injection"]
        assert dns and run.ids() == {("two-sided-injection", "confirmed")}, run.ids()
        assert "qname" in {e["finding"]["trigger"]["kind"] for e in dns}, dns
        run = through(mirror)
        run.untouched()
        assert run.audit["client"]["reflected"] == run.frames("client")["sent"], run.audit
    print("delays, copies, other bytes, other pieces, resets made of answers, a second answer, a loop")


def test_usage(bench, wmscope, root, macs):
    file = root + "/pcaps/tls-proxy/client.pcap"
    for status, args in ((USAGE, ["-i", "c0", file]), (USAGE, ["-i", "c0", "-i", "c0", file]),
                         (USAGE, ["-i", "c0", "-i", "s0"]), (USAGE, ["-i", "c0", "-i", "s0", "-"]),
                         (USAGE, ["-i", "c0", "-i", "s0", "--wait", "x", file]),
                         (IO, ["-i", "c0", "-i", "nosuch0", file])):
        code, _, err = bench.audit(wmscope, "run", *args)
        assert code == status and err, f"{args}: exit {code}: {err}"
    bench.run(bench.tester, "ip", "addr", "add", "10.9.0.1/24", "dev", "s0")
    code, _, err = bench.audit(wmscope, "run", "-i", "c0", "-i", "s0", file)
    assert code == IO and "yes-this-interface" in err, f"exit {code}: {err}"
    bench.run(bench.tester, "ip", "addr", "del", "10.9.0.1/24", "dev", "s0")


def main():
    wmscope, root = sys.argv[1:]
    test_edits(wmscope, root)
    with Bench() as bench:
        test_wire(bench, wmscope, root)
        macs = bench.router([CLIENT], [SERVER, PROXY])
        for test in (test_router, test_reset, test_drop, test_others, test_usage):
            test(bench, wmscope, root, macs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
