# SPDX-License-Identifier: BSD-3-Clause
"""What the simulations of honest traffic share: stamps, frames, bad paths, and the check of what is said.

A scene is one client with its own address and what it does. It names the most that may be said of it; a
finding above that, of one flow or of several, is an accusation of nobody.
"""
import collections
import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile

import capture_forms as forms

RANK = ("none", "inconclusive", "anomaly", "likely", "confirmed")
SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16


class Stack:
    """How one operating system stamps packets."""

    def __init__(self, rng):
        self.rng = rng
        self.ttl = rng.choice((64, 64, 128, 255))
        self.rst_ttl = rng.choice((self.ttl, self.ttl, self.ttl, 64, 128, 255))
        self.id_rule = rng.choice(("counter", "counter", "zero", "random", "shared", "linux"))
        self.df = rng.random() < 0.8
        same = self.rst_ttl != self.ttl or rng.random() < 0.8
        self.rst_df = self.df if same or self.id_rule == "linux" else not self.df
        self.rst_window = rng.choice((0, 0, 512, 65535))
        self.refusal_acks = rng.random() < 0.2    # with RST+ACK what a standard answers with a bare RST
        self.id = rng.randrange(65536)

    def stamp(self, flags=0):
        rst = bool(flags & RST)
        step = self.rng.randint(1, 300) if self.id_rule == "shared" else 1
        if self.id_rule == "zero" or (self.id_rule == "linux" and (rst or flags & SYN)):
            ident = 0
        elif self.id_rule == "random":
            ident = self.rng.randrange(65536)
        else:
            self.id = (self.id + step) & 0xffff
            ident = self.id
        return (self.rst_ttl if rst else self.ttl), ident, (self.rst_df if rst else self.df)


def address(text):
    return ipaddress.ip_address(text).packed


def packet(seconds, ends, stamp, proto, payload):
    """A raw IP frame; ends: source and destination; stamp: TTL, IP-ID, DF; payload: the transport's."""
    ends = [ipaddress.ip_address(e) for e in ends]
    ttl, ident, df = stamp
    if ends[0].version == 4:
        ip = bytes([0x45, 0]) + (20 + len(payload)).to_bytes(2, "big") + ident.to_bytes(2, "big") + \
            bytes([0x40 if df else 0, 0, ttl, proto, 0, 0])
    else:
        ip = b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes([proto, ttl])
    data = ip + ends[0].packed + ends[1].packed + payload
    frame = forms.Frame(int((1700000000 + seconds) * 10**9), data, len(data), forms.RAW)
    return forms.with_transport_sum(forms.summed(frame.data, 0, frame))


def udp(seconds, ends, ports, stamp, payload):
    head = b"".join(p.to_bytes(2, "big") for p in ports) + (8 + len(payload)).to_bytes(2, "big") + b"\1\1"
    return packet(seconds, ends, stamp, forms.UDP, head + payload)


def tcp(seconds, ends, ports, stamp, flags, numbers, payload=b"", options=b"", window=512):
    """numbers: sequence and acknowledgement"""
    head = b"".join(p.to_bytes(2, "big") for p in ports)
    head += b"".join((n & 0xffffffff).to_bytes(4, "big") for n in numbers)
    head += bytes([(20 + len(options)) // 4 << 4, flags]) + window.to_bytes(2, "big") + bytes(4) + options
    return packet(seconds, ends, stamp, forms.TCP, head + payload)


Scene = collections.namedtuple("Scene", "name most")


def said(wmscope, path):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--no-lists", "--jsonl", "-", path],
                         capture_output=True, timeout=300, check=False)
    assert run.returncode in (0, 1, 5), run.stderr.decode()
    return [json.loads(line) for line in run.stdout.splitlines()]


def scenes_of(finding, flows, scenes):
    """Those that a finding is about: of one flow, or of the flows it pools."""
    if "src_ip" in finding and "flow_id" in finding:
        clients = {finding["src_ip"], finding["dest_ip"]}
    else:
        clients = {c for f in finding["finding"].get("flows", []) for c in flows.get(f, ())}
    return [scenes[c] for c in sorted(clients) if c in scenes]


def tell(e, seed, scene):
    f = e["finding"]
    rows = ", ".join(f"{r['kind']} {r['grade']} ({r.get('value', '')})" for r in f["evidence"])
    print(f"seed {seed}, {scene.name} (at most {scene.most}): {f['verdict']} {f['id']} {f.get('score')} "
          f"{e.get('src_ip')} port {e.get('src_port')} frames {f.get('packets', [])[:6]}: {rows}")


def judge(wmscope, path, scenes, seed, counts):
    """How many findings accuse somebody."""
    events = said(wmscope, path)
    flows = {e["flow_id"]: (e["src_ip"], e["dest_ip"]) for e in events if e["event_type"] == "flow"}
    counts["flows"] += len(flows)
    bad = 0
    for e in events:
        if e["event_type"] != "finding":
            continue
        verdict = e["finding"]["verdict"]
        counts[verdict] += 1
        about = scenes_of(e, flows, scenes) or [Scene("several", "anomaly")]
        worst = max(about, key=lambda s: RANK.index(s.most))
        if RANK.index(verdict) > RANK.index(worst.most):
            bad += 1
            tell(e, seed, worst)
    return bad


def main(stage):
    """stage(rng) makes one capture: frames and {client address: Scene}. SEED and the number of captures as arguments."""
    wmscope = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    bad, counts = 0, collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(seed, seed + rounds):
            path = os.path.join(os.environ.get("KEEP", scratch), f"{number}.pcap")
            frames, scenes = stage(random.Random(number))
            forms.write(path, sorted(frames, key=lambda f: f.ns))
            bad += judge(wmscope, path, {str(ipaddress.ip_address(c)): s for c, s in scenes.items()}, number, counts)
    flows = counts.pop("flows")
    print(f"{flows} flows in {rounds} captures, findings {dict(counts)}, {bad} accusations")
    return 1 if bad or flows == 0 else 0
