#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What reports that are shared say of clients: private.py WMSCOPE SCHEMA_CHECK SCHEMA TSG CAPTURE...

Everything that -o writes is searched for the clients' addresses, and compared with what the analysis says
under its real ones. TSG: a capture of resets that follow from the addresses: from its
report the Chinese remainder theorem gives the pseudonym.
"""
import ipaddress
import json
import math
import os
import subprocess
import sys
import tempfile

from anonymize import KEY, check_gone, clients_of, findings, run

SEED, M = 13, 65535


def load(path):
    with open(path, "rb") as f:
        return [json.loads(line) for line in f]


def contents(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as f:
                yield os.path.join(base, name), f.read()


def analyze(wmscope, folder, *args):
    run(wmscope, "analyze", "-q", "--no-ndpi", "-o", folder, *args)
    return load(folder + "/events.jsonl")


def solve(stamps, dip):
    """The address that every (window, IP-ID) leaves the right remainder of, or None."""
    x, lcm = 0, 1
    for window, ip_id in stamps:
        rest = (ip_id - (M - (window - dip % SEED) * SEED)) % 65536
        steps = next((i for i in range(window) if (x + i * lcm) % window == rest), None)
        if steps is None:
            return None
        x += steps * lcm
        lcm = math.lcm(lcm, window)
    return x if lcm >> 32 and x < 1 << 32 else None


def little(address):
    return int.from_bytes(ipaddress.ip_address(address).packed, "little")


def check_relation(wmscope, path, folder, key):
    real = [e for e in analyze(wmscope, folder + "/tsg-real", "--show-clients", path)]
    shared = analyze(wmscope, folder + "/tsg", "--key", key, path)
    for name, events in ("real", real), ("shared", shared):
        stamps, ends = set(), set()
        for e in events:
            if e["event_type"] != "finding" or "flow_id" not in e:
                continue
            ends.add((e["src_ip"], e["dest_ip"]))
            stamps |= {(p["window"], p["ip_id"]) for p in e["finding"]["ladder"] if p["forged"]}
        (client, server), = ends
        got = solve(sorted(stamps), little(server))
        assert got == little(client), f"{name}: {stamps} give {got}, not {client}"
    assert clients_of(real) != clients_of(shared)


def check(wmscope, path, folder, key):
    out = os.path.join(folder, "out")
    real = analyze(wmscope, out + "-real", "--show-clients", path)
    shared = analyze(wmscope, out, "--key", key, path)
    clients = clients_of(real)
    assert real[0]["run"]["clients"] == "real" and shared[0]["run"]["clients"] == "pseudonymous"
    for name, data in contents(out):
        check_gone(f"{path}: {name}", data, clients)
        assert os.path.dirname(path).encode() not in data, f"{path}: its name is in {name}"
    assert findings(real) == findings(shared), f"{path}: other findings"
    assert len(real) == len(shared), f"{path}: other events"
    ids = [{e.get("community_id") for e in events} for events in (real, shared)]
    assert not (ids[0] & ids[1]) - {None}, f"{path}: {ids[0] & ids[1]}"
    # The capture alone, made shareable with the same key, has the same clients.
    made = os.path.join(folder, "made.pcapng")
    run(wmscope, "anonymize", "-q", "--key", key, path, made)
    lines = run(wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", made).splitlines()
    assert clients_of(map(json.loads, lines)) == clients_of(shared), f"{path}: other pseudonyms"
    os.unlink(made)


def check_names(wmscope, path, folder):
    """Names that nothing was found of are counted."""
    some = analyze(wmscope, folder + "/some", path)
    every = analyze(wmscope, folder + "/every", "--all-names", path)
    names = [{e["tls"]["sni"] for e in events if e["event_type"] == "flow" and "tls" in e}
             for events in (some, every)]
    assert names[0] <= names[1] | {None}
    hidden = sum(e["event_type"] == "flow" and (e.get("tls") or {}).get("sni") is not None
                 for e in every)
    hidden -= sum(e["event_type"] == "flow" and (e.get("tls") or {}).get("sni") is not None
                  for e in some)
    assert some[0]["run"]["names_withheld"] == hidden > 0, some[0]["run"]["names_withheld"]
    assert every[0]["run"]["names_withheld"] == 0


def check_options(wmscope, path, folder):
    stdout = run(wmscope, "analyze", "-q", path).decode()
    lines = run(wmscope, "analyze", "-q", "--jsonl", "-", path).splitlines()
    client = next(c for c in clients_of(map(json.loads, lines)) if "." in c)
    assert client in stdout, "standard output has the real addresses"
    assert client not in run(wmscope, "analyze", "-q", "--private", path).decode()
    out = folder + "/both"
    text = run(wmscope, "analyze", "-q", "--text", "-", "-o", out, path).decode()
    assert text == stdout, "what is real is written before what is not"
    for name, data in contents(out):
        assert client.encode() not in data, name
    open(folder + "/open-key", "wb").write(KEY)
    os.chmod(folder + "/open-key", 0o644)
    for bad in ("/open-key", "/no-key"):
        done = subprocess.run([wmscope, "analyze", "-q", "--private", "--key", folder + bad, path],
                              capture_output=True, check=False)
        assert done.returncode == 2, f"{bad}: {done.returncode}"


def check_paths(wmscope, path, folder):
    """Where files lie may say who somebody is, also where a message cuts a long path short."""
    for depth in (1, 90, 110, 150, 230):
        home = os.path.join(folder, "u" * depth, "myname")
        out = os.path.join(folder, f"paths-{depth}")
        os.makedirs(home)
        with open(path, "rb") as f, open(home + "/myname.cut", "wb") as cut:
            cut.write(f.read()[:-3])
        done = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "-o", out, home + "/myname.gone",
                               home + "/myname.cut"], capture_output=True, check=False)
        assert done.returncode == 3, done
        for name, data in contents(out):
            assert b"myname" not in data, (depth, name)


def main():
    wmscope, schema_check, schema, tsg, paths = *sys.argv[1:5], sys.argv[5:]
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(KEY.hex().encode() + b"\n")
        check_relation(wmscope, tsg, folder, key)
        check_options(wmscope, paths[0], folder)
        check_names(wmscope, paths[1], folder)
        check_paths(wmscope, paths[0], folder)
        for path in paths:
            check(wmscope, path, folder, key)
        subprocess.run([sys.executable, schema_check, schema, folder + "/out/events.jsonl"], check=True)
    print(f"{len(paths)} captures")


if __name__ == "__main__":
    main()
