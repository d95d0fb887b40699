#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope capture` on a veth pair of its own: test_capture.py WMSCOPE ROOT

A capture of pcaps/ is sent into one end and captured at the other: what is found live is what analyze
finds in the file written meanwhile, name for name and frame for frame. Then the ways to end: a count, a
time, a signal, the link going down, a disk that is full; files that rotate; rights that are given up.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from capturing import (DONE, FINDINGS, IO, PARTIAL, USAGE, Live, Pair, Wire, analyze, blocks, counted, events,
                       inside, packets, times)


def same(wmscope, live, path):
    """What was found live is what is found in the file."""
    status, offline = analyze(wmscope, [path])
    mine = events(live)
    names = ("dropped", "packets", "bytes", "first", "last", "vantage", "counters", "interfaces")
    one, two = mine[0]["run"], offline[0]["run"]
    for key in names:
        a, b = one["captures"][0][key], two["captures"][0][key]
        assert a == b, f"{key}: live {a}, offline {b}"
    assert mine[1:] == offline[1:], "live and offline differ"
    assert one["findings"] == two["findings"]
    return status, mine


def test_findings(pair, wmscope, root, folder, wire):
    frames = packets(root + "/pcaps/sni-rst-onpath/client.pcap")
    for engine, workers in ("packet", "1"), ("packet", "3"), ("xdp", "1"), ("xdp", "3"):
        path, live = folder + "/one.pcapng", folder + "/live.jsonl"
        run = Live(pair, wmscope, "-w", path, "--jsonl", live, "--workers", workers, "--stats",
                   folder + "/stats", "-c", str(len(frames)), "--engine", engine, folder=folder)
        if engine == "xdp" and run.ended_without_xdp():
            break
        run.ready()
        wire.send(frames, gaps=True)
        code = run.end()
        status, found = same(wmscope, live, path)
        assert code == status, f"exit {code} live, {status} offline"
        assert counted(path)[:2] == (len(frames), {"received": len(frames), "dropped": 0})
        # The same as in the capture that was sent, frame for frame: their gaps were kept.
        _, original = analyze(wmscope, [root + "/pcaps/sni-rst-onpath/client.pcap"])
        key = lambda e: (e["finding"]["id"], e["finding"]["verdict"], e["finding"].get("packets"))
        want = sorted(key(e) for e in original if e["event_type"] == "finding")
        got = sorted(key(e) for e in found if e["event_type"] == "finding")
        assert want == got and want, f"sent {want}, found {got}"
    print(f"{len(want)} findings live, in the file, and in what was sent")
    check_stats(root, folder + "/stats")


def test_receivers(pair, two, wmscope, root, folder):
    """Several rings or queues: one sequence by time, and nothing that was found depends on their number."""
    frames = []
    for number, name in enumerate(("sni-rst-onpath", "dns-onpath", "page-onpath", "sni-rst-onpath-v6")):
        frames += [(ns + number * 1_700_000, frame)
                   for ns, frame in packets(f"{root}/pcaps/{name}/client.pcap")]
    # Pairs of addresses of their own, so that each receiver has some.
    frames += [(n * 15_000_000 + k * 400_000, syn_pair(n, k)) for n in range(64) for k in range(2)]
    frames.sort()
    frames = [(ns // 2, frame) for ns, frame in frames if ns < 4_000_000_000]
    cases = [(pair, "packet", 1), (pair, "packet", 2), (pair, "packet", 5), (two, "packet", 3),
             (two, "xdp", 2)]
    findings = []
    for number, (on, engine, receivers) in enumerate(cases):
        path, live = f"{folder}/r{number}.pcapng", f"{folder}/r{number}.jsonl"
        more = ["--receivers", str(receivers)] if engine == "packet" else []
        run = Live(on, wmscope, "-w", path, "--jsonl", live, "--workers", "2", "-c", str(len(frames)),
                   "--engine", engine, *more, folder=folder)
        if engine == "xdp" and run.ended_without_xdp():
            break
        run.ready()
        Wire(on).send(frames, gaps=True)
        code = run.end()
        status, found = same(wmscope, live, path)
        assert code == status, f"exit {code} live, {status} offline"
        at = times(path)
        assert len(at) == len(frames) and at == sorted(at), f"{engine}: not in the order of time"
        key = lambda e: (e["finding"]["id"], e["finding"]["verdict"], e["src_ip"], e.get("src_port"))
        findings.append(sorted(key(e) for e in found if e["event_type"] == "finding"))
        shares = [int(n) for n in re.findall(r"(\d+) packets of receiver", run.said())]
        if engine == "packet" and receivers > 1:
            assert len(shares) == receivers and sum(shares) >= len(frames), shares
            assert receivers != 2 or min(shares) > len(frames) // 20, f"one has nearly all: {shares}"
    assert len(findings[0]) > 5 and all(f == findings[0] for f in findings), findings
    print(f"{len(findings[0])} findings, whatever the number of receivers")


def syn_pair(number, way):
    """The two ends of a handshake between addresses that nobody else has."""
    ends = [bytes([10, 9, number, 1]), bytes([10, 8, 7, number])]
    frame = packet(443, 0, number)
    tcp = struct.pack("!HHIIBBHHH", *((2000, 443) if way == 0 else (443, 2000)), 5 + number, 6 + number,
                      0x50, 0x02 if way == 0 else 0x12, 1000, 0, 0)
    return frame[:26] + ends[way] + ends[1 - way] + tcp


def check_stats(root, path):
    lines = events(path)
    assert lines and all(e["event_type"] == "stats" for e in lines), lines
    assert lines[-1]["stats"]["packets"] > 0 and lines[-1]["stats"]["interface"] == "right0"
    try:
        import jsonschema
    except ImportError:
        return
    with open(root + "/tools/schema.json", encoding="utf-8") as f:
        validator = jsonschema.Draft202012Validator(json.load(f))
    for event in lines:
        validator.validate(event)


def test_tags(pair, wmscope, folder, wire):
    """A VLAN tag is in the file, whatever the kernel did with it; the filter sees it; -s cuts."""
    plain = packet(443)
    tagged = plain[:12] + b"\x81\x00\x00\x2a" + plain[12:]
    for expr, want in ((None, [plain, tagged]), ("vlan 42", [tagged]), ("tcp", [plain]),
                       ("not vlan", [plain])):
        path = folder + "/tags.pcapng"
        args = ["-f", expr] if expr else []
        run = Live(pair, wmscope, "-w", path, "-c", str(len(want)), *args, folder=folder).ready()
        wire.send([(0, plain), (0, tagged)])
        assert run.end() == DONE, run.said()
        assert [p for p, _ in blocks(path)] == want, f"{expr}: {blocks(path)}"
    run = Live(pair, wmscope, "-w", path, "-c", "1", "-s", "64", folder=folder).ready()
    wire.send([(0, packet(443, 1000))])
    assert run.end() == DONE, run.said()
    assert [(len(p), n) for p, n in blocks(path)] == [(64, 1054)], blocks(path)
    print("tags are where they were, and the filter sees them")


def test_late_reader(pair, wmscope, folder, wire):
    """Packets have the time when they came, not when a busy machine gets to read them; -s cuts."""
    gap = 100_000_000
    for engine in "packet", "xdp":
        path = folder + "/late.pcapng"
        run = Live(pair, wmscope, "-w", path, "-c", "4", "-s", "64", "--engine", engine, folder=folder)
        if engine == "xdp" and run.ended_without_xdp():
            break
        run.ready()
        run.process.send_signal(signal.SIGSTOP)
        wire.send([(n * gap, packet(443, 1000, n)) for n in range(4)], gaps=True)
        time.sleep(0.2)
        run.process.send_signal(signal.SIGCONT)
        assert run.end() == DONE, run.said()
        at = times(path)
        gaps = [b - a for a, b in zip(at, at[1:])]
        assert sum(gaps) > 2.5 * gap and all(g > gap / 3 for g in gaps), f"{engine}: {gaps}"
        assert [(len(p), n) for p, n in blocks(path)] == [(64, 1054)] * 4, f"{engine}: {blocks(path)}"
    print("packets that are read late have the time when they came")


def packet(port, payload=0, number=0):
    """An Ethernet frame of TCP; number makes it a flow of its own."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + payload, number & 0xffff, 0, 64, 6, 0,
                     b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
    tcp = struct.pack("!HHIIBBHHH", 1024 + number % 60000, port, number, 0, 0x50, 2, 1000, 0, 0)
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\x00" + ip + tcp + bytes(payload)


def test_innocent(pair, wmscope, folder):
    """A long answer of the kernel's own TCP, segments merged and sums left to a card that is not there."""
    pair.left("ip", "addr", "add", "192.0.2.1/24", "dev", "left0")
    pair.right("ip", "addr", "add", "192.0.2.2/24", "dev", "right0")
    path, live = folder + "/tcp.pcapng", folder + "/tcp.jsonl"
    run = Live(pair, wmscope, "-w", path, "--jsonl", live, folder=folder).ready()
    listener = inside(pair.names[1], lambda: socket.create_server(("192.0.2.2", 80)))
    client = inside(pair.names[0], lambda: socket.create_connection(("192.0.2.2", 80)))
    server = listener.accept()[0]
    client.sendall(b"GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
    server.recv(1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"
    sender = threading.Thread(target=server.sendall, args=(head + bytes(2_000_000),))
    sender.start()
    got = 0
    while got < len(head) + 2_000_000:
        got += len(client.recv(1 << 20))
    sender.join()
    for end in client, server, listener:
        end.close()
    time.sleep(0.3)
    assert run.end(signal.SIGINT) == DONE, run.said()
    status, found = same(wmscope, live, path)
    assert status == DONE and [e["event_type"] for e in found] == ["run", "flow"], found
    assert found[0]["run"]["captures"][0]["dropped"] == 0 and found[1]["app_proto"] == "http"
    run = Live(pair, wmscope, "-w", path, "-c", "2", folder=folder, iface="lo").ready()
    udp = inside(pair.names[1], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    for port in 7, 9:
        udp.sendto(b"", ("127.0.0.1", port))
    assert run.end() == DONE, run.said()
    seen = [struct.unpack_from("!H", p, 36)[0] for p, _ in blocks(path) if p[23] == 17]
    assert seen in ([7, 9], [7]), f"a packet to oneself is there once: {seen}"
    # Without an address nobody asks for the other's again, in some later capture.
    pair.left("ip", "addr", "flush", "dev", "left0")
    pair.right("ip", "addr", "flush", "dev", "right0")
    print(f"{found[1]['flow']['bytes_toclient']} bytes of real TCP, and nobody is accused")


def test_rotation(pair, wmscope, root, folder, wire):
    place = folder + "/rotated"
    os.mkdir(place)
    base = ["-w", place + "/x.pcapng", "-C", "1"]
    refused = Live(pair, wmscope, *base, folder=folder)
    assert refused.end() == IO and "new files" in refused.said(), refused.said()
    os.chown(place, *nobody())
    frames = [(0, packet(80, 1400, n)) for n in range(3000)]
    run = Live(pair, wmscope, *base, "-c", "3000", folder=folder).ready()
    wire.send(frames)
    assert run.end() == DONE, run.said()
    names = sorted(os.listdir(place))
    paths = [os.path.join(place, name) for name in names]
    assert len(paths) == 5 and names[0].startswith("x_00001_20") and names[4].endswith("Z.pcapng")
    at = 1
    for path in paths:
        n, stats, comment = counted(path)
        assert f"frame {at} of" in comment and os.path.getsize(path) <= 1_000_100, comment
        at += n
    assert at == 3001
    _, together = analyze(wmscope, paths, "--rotated")
    assert together[0]["run"]["captures"][0]["packets"] == 3000
    for path in paths:
        os.unlink(path)
    run = Live(pair, wmscope, *base, "-W", "2", "-c", "3000", folder=folder).ready()
    wire.send(frames)
    assert run.end() == DONE, run.said()
    assert [n[:8] for n in sorted(os.listdir(place))] == ["x_00004_", "x_00005_"], os.listdir(place)
    run = Live(pair, wmscope, "-w", place + "/t", "-G", "1", "-c", "4", folder=folder).ready()
    wire.send([(n * 600_000_000, packet(80, 0, n)) for n in range(4)], gaps=True)
    assert run.end() == DONE, run.said()
    new = sorted(n for n in os.listdir(place) if n.startswith("t_"))
    assert [counted(os.path.join(place, n))[0] for n in new] == [2, 2], new
    print("files rotate by size and time, and the oldest go")


def nobody():
    import pwd
    who = pwd.getpwnam("nobody")
    return who.pw_uid, who.pw_gid


def test_privileges(pair, wmscope, folder, wire):
    """Whom it becomes, whose the files are."""
    uid, gid = nobody()
    cases = ((["-Z", "root"], {}, 0, 0), ([], {}, uid, gid),
             ([], {"SUDO_UID": "12345", "SUDO_GID": "12346"}, 12345, 12346),
             (["-Z", "root"], {"SUDO_UID": "12345", "SUDO_GID": "12346"}, 0, 0))
    for args, env, want_uid, want_gid in cases:
        out = f"{folder}/as{want_uid}{len(args)}{len(env)}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
        run = Live(pair, wmscope, "-o", out, "-w", out + ".pcapng", "--stats",
                   out + ".stats", *args, folder=folder,
                   env={**clean, **env}).ready()
        assert run.status("Uid") == [str(want_uid)] * 4, run.status("Uid")
        assert run.status("Gid") == [str(want_gid)] * 4 and run.status("Groups") == []
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert run.status(key) == ["0" * 16], f"{key} {run.status(key)}"
        assert run.status("NoNewPrivs") == ["1"]
        wire.send([(0, packet(80))])
        time.sleep(0.2)
        assert run.end(signal.SIGTERM) == DONE, run.said()
        for path in (out, out + "/report.txt", out + "/events.jsonl", out + ".pcapng",
                     out + ".stats"):
            st = os.stat(path)
            assert (st.st_uid, st.st_gid) == (want_uid, want_gid), f"{path}: {st}"
        assert counted(out + ".pcapng")[0] == 1
    wrong = Live(pair, wmscope, "-Z", "no such user", folder=folder)
    assert wrong.end() == USAGE and "no user" in wrong.said(), wrong.said()
    print("no capability is left, and the files are the user's")


def test_ends(pair, wmscope, folder, wire):
    path = folder + "/ends.pcapng"
    run = Live(pair, wmscope, "-w", path, "--duration", "1", folder=folder).ready()
    assert run.end(seconds=4) == DONE and counted(path)[0] == 0, run.said()
    run = Live(pair, wmscope, "-w", path, "--duration", "60", folder=folder).ready()
    wire.send([(0, packet(80))] * 3)
    time.sleep(0.2)
    run.process.send_signal(signal.SIGUSR1)
    run.wait_for(lambda: "3 packets" in run.said(), "SIGUSR1")
    assert run.end(signal.SIGINT) == PARTIAL, "a signal before the time is over"
    assert counted(path)[0] == 3, run.said()
    # What came is in the file soon, and stays there however the process ends.
    run = Live(pair, wmscope, "-w", path, folder=folder).ready()
    wire.send([(0, packet(80))] * 5)
    run.wait_for(lambda: counted(path)[0] == 5, "the file grows")
    assert run.end(signal.SIGKILL) == -signal.SIGKILL and counted(path)[0] == 5
    run = Live(pair, wmscope, "-w", path, "--text", folder + "/text", folder=folder).ready()
    wire.send([(0, packet(80))] * 7)
    pair.right("ip", "link", "set", "right0", "down")
    assert run.end() == IO and "went down" in run.said(), run.said()
    assert counted(path)[0] == 7, counted(path)
    with open(folder + "/text", encoding="utf-8") as f:
        assert "7 packets" in f.read()
    down = Live(pair, wmscope, folder=folder)
    assert down.end() == IO and "is down" in down.said(), down.said()
    pair.right("ip", "link", "set", "right0", "up")
    print("it ends by count, time and signal, and when the link goes down")


def test_disk_full(pair, wmscope, folder, wire):
    place = folder + "/small"
    os.mkdir(place)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place],
                      capture_output=True, check=False).returncode != 0:
        print("no tmpfs can be mounted here: a full disk is not tested")
        return
    try:
        path = place + "/full.pcapng"
        run = Live(pair, wmscope, "-w", path, "--text", folder + "/text", folder=folder).ready()
        wire.send([(0, packet(80, 1400, n)) for n in range(3000)])
        assert run.end() == IO and "No space left" in run.said(), run.said()
        n = counted(path)[0]
        assert 500 < n < 1000, f"{n} packets fit"
        with open(folder + "/text", encoding="utf-8") as f:
            assert "Capture" in f.read()
    finally:
        subprocess.run(["umount", place], check=True)
    print(f"a full disk: {n} whole packets and a report")


def test_overload(pair, wmscope, folder, wire):
    """A process that does not come to read loses packets, and says how many; -B says how late it may come."""
    n = 6000
    for engine, mib, most in ("packet", "2", n - 1), ("xdp", "2", 512), ("xdp", "32", n):
        path, live = folder + "/over.pcapng", folder + "/over.jsonl"
        run = Live(pair, wmscope, "-B", mib, "-w", path, "--jsonl", live, "--engine", engine, folder=folder)
        if engine == "xdp" and run.ended_without_xdp():
            break
        run.ready()
        run.process.send_signal(signal.SIGSTOP)
        wire.send([(0, packet(80, 1400, i)) for i in range(n)])
        run.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        assert run.end(signal.SIGINT) == DONE, run.said()
        _, found = same(wmscope, live, path)
        capture = found[0]["run"]["captures"][0]
        kept, stats, _ = counted(path)
        assert kept == capture["packets"] <= most and kept + capture["dropped"] == n, capture
        assert kept == n or most < n, f"{engine}: {mib} MiB do not hold {n} packets: {capture}"
        assert stats == {"received": n, "dropped": n - kept}, stats
        print(f"{engine}, {mib} MiB: of {n} packets {n - kept} were lost, and counted")


def test_testimony(pair, wmscope, root, folder, wire):
    """A live report is merged with one of a file, and what -w wrote can be asked the same again."""
    frames = packets(root + "/pcaps/sni-rst-onpath/client.pcap")
    other = root + "/pcaps/dns-onpath/client.pcap"
    path, key = folder + "/kept.pcapng", folder + "/kept.key"
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(bytes(range(32)))
    at = lambda name: os.path.join(folder, name)
    run = Live(pair, wmscope, "-w", path, "-o", at("kept"), "--key", key, "-c", str(len(frames)),
               folder=folder).ready()
    wire.send(frames, gaps=True)
    assert run.end() == FINDINGS, run.said()

    def call(*args):
        done = subprocess.run([wmscope, *args], capture_output=True, check=False)
        assert done.returncode in (DONE, FINDINGS), (args, done)
        return done

    call("analyze", "-q", "--no-lists", "-o", at("file"), "--key", key, other)
    call("analyze", "-q", "--no-lists", "-o", at("both"), "--key", key, path, other)
    call("merge", "-q", "-o", at("merged"), "--key", key, at("kept"), at("file"))
    said = [events(at(name) + "/events.jsonl")[1:] for name in ("both", "merged")]
    assert said[0] == said[1] and said[0], "the live part says something else than its file"
    assert call("analyze", "-q", "--from", at("kept") + "/report.json", path).returncode == DONE


def main():
    wmscope, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with Pair() as pair, Pair("q", queues=2) as two, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        wire = Wire(pair)
        test_findings(pair, wmscope, root, folder, wire)
        test_receivers(pair, two, wmscope, root, folder)
        test_tags(pair, wmscope, folder, wire)
        test_late_reader(pair, wmscope, folder, wire)
        test_innocent(pair, wmscope, folder)
        test_privileges(pair, wmscope, folder, wire)
        test_ends(pair, wmscope, folder, wire)
        test_rotation(pair, wmscope, root, folder, wire)
        test_testimony(pair, wmscope, root, folder, wire)
        test_disk_full(pair, wmscope, folder, wire)
        test_overload(pair, wmscope, folder, wire)
    return 0


if __name__ == "__main__":
    sys.exit(main())
