#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `wmscope anonymize` makes of captures: anonymize.py WMSCOPE CAPTURE...

With --redact-names no name is left either, and the findings that are left say the pseudonyms that a report with
--redact-names and the same key says, cut or filled up to the lengths of the names.

No address of a client is left in the file, as text or as bytes in either order; a second run with the same
key gives the same bytes; and the analysis finds in it what it finds in the original, frame by frame, with
the same checksums right and wrong.
"""
import collections
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

KEY = bytes(range(32))


def run(wmscope, *args, **more):
    done = subprocess.run([wmscope, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, **more)
    assert done.returncode in (0, 1, 5), f"{args}: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def events(wmscope, path):
    out = run(wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", path)
    return [json.loads(line) for line in out.splitlines()]


def findings(list_of_events):
    """Each finding without what depends on an address or on the file's name."""
    return collections.Counter(
        (e["finding"]["id"], e["finding"]["verdict"], e["finding"]["score"], e["dest_port"]
         if "dest_port" in e else 0, tuple(e["finding"]["packets"]),
         e["finding"]["trigger"]["value"])
        for e in list_of_events if e["event_type"] == "finding")


def checksums(list_of_events):
    counters = list_of_events[0]["run"]["captures"][0]["counters"]
    return {k: v for group in counters.values() if isinstance(group, dict)
            for k, v in group.items() if "checksum" in k}


def forms(address):
    """An address as it could be left in a file."""
    a = ipaddress.ip_address(address)
    yield a.packed
    yield a.packed[::-1]
    yield str(a).encode()
    yield a.packed.hex().encode()
    if a.version == 4:
        yield str(a).replace(".", "-").encode()
        yield ".".join(reversed(str(a).split("."))).encode()


def clients_of(list_of_events):
    return {e["src_ip"] for e in list_of_events if e["event_type"] == "flow"} - {"0.0.0.0", "::"}


def check_gone(what, data, clients):
    for address in clients:
        if ipaddress.ip_address(address).is_multicast:
            continue
        for form in forms(address):
            at = data.find(form)
            assert at < 0, f"{what}: {address} is left at {at} as {form!r}"


def names_of(list_of_events):
    """What nobody else would call by chance: a label of some letters, as it is written and in any case."""
    said = set()
    for e in list_of_events:
        said |= {e.get("tls", {}).get("sni") or "", e.get("http", {}).get("host") or ""}
        if e["event_type"] == "finding" and e["finding"]["trigger"]["kind"] in ("sni", "host", "qname", "quic-sni"):
            said.add(e["finding"]["trigger"]["value"])
    return {label.lower().encode() for name in said if not name.replace(".", "").isdigit()
            for label in name.split(".")[:-1] if len(label) > 4}


def fit(pseudonym, name):
    """A report's pseudonym as it stands in packets in place of this name."""
    def label(whole, n):
        whole = whole if whole == "example" or n >= 15 else whole[5:]
        return whole[:n].ljust(n, "x")

    whole, names = pseudonym.split("."), name.split(".")
    assert len(whole) == len(names), (pseudonym, name)
    return ".".join(label(w, len(n)) for w, n in zip(whole, names))


def triggers(list_of_events):
    return {(e["finding"]["id"], e["flow_id"], tuple(e["finding"]["packets"])): e["finding"]["trigger"]["value"]
            for e in list_of_events if e["event_type"] == "finding" and "flow_id" in e and
            e["finding"]["trigger"]["kind"] in ("sni", "host", "qname")}


def check_names(wmscope, path, key, folder, before):
    """Returns how many findings have a name, and how many of those kept one."""
    out = [os.path.join(folder, f"named-{i}.pcapng") for i in (0, 1)]
    for name in out:
        run(wmscope, "anonymize", "-q", "--key", key, "--redact-names", path, name)
    data = [open(name, "rb").read() for name in out]
    assert data[0] == data[1], f"{path}: two runs with one key differ"
    check_gone(path, data[0], clients_of(before))
    for label in names_of(before):
        assert label not in data[0].lower(), f"{path}: {label} is left"
    after = events(wmscope, out[0])
    for counter, n in checksums(after).items():
        assert n <= checksums(before)[counter], f"{path}: {n} of {counter}"
    report = os.path.join(folder, "report")
    run(wmscope, "analyze", "-q", "--no-ndpi", "--key", key, "--redact-names", "-o", report, path)
    with open(os.path.join(report, "events.jsonl"), encoding="utf-8") as f:
        said = triggers([json.loads(line) for line in f])
    real, kept = triggers(before), triggers(after)
    for at, value in kept.items():
        if at in real and value:
            assert value == fit(said[at], real[at]), f"{path}: {real[at]} became {value}, in the report {said[at]}"
    for name in out:
        os.unlink(name)
    return len(real), sum(at in real and value != "" for at, value in kept.items())


def check(wmscope, path, key, folder):
    before = events(wmscope, path)
    clients = clients_of(before)
    wanted = findings(before)
    for option in ("--keep-payload", None):
        out = [os.path.join(folder, f"{i}.pcapng") for i in (0, 1)]
        for name in out:
            run(wmscope, "anonymize", "-q", "--key", key, *([option] if option else []), path, name)
        data = [open(name, "rb").read() for name in out]
        assert data[0] == data[1], f"{path}: two runs with one key differ"
        check_gone(path, data[0], clients)
        after = events(wmscope, out[0])
        count = [e[0]["run"]["captures"][0]["packets"] for e in (before, after)]
        assert count[0] == count[1], f"{path}: {count[0]} packets became {count[1]}"
        if option:
            assert findings(after) == wanted, f"{path}: {wanted} became {findings(after)}"
            assert checksums(after) == checksums(before), \
                f"{path}: {checksums(before)} became {checksums(after)}"
        assert not clients & clients_of(after), f"{path}: a client under its own address"
        for name in out:
            os.unlink(name)
    return len(clients), check_names(wmscope, path, key, folder, before)


def main():
    wmscope, paths = sys.argv[1], sys.argv[2:]
    bad = clients = named = kept = 0
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(KEY)
        for path in paths:
            try:
                n, (one, other) = check(wmscope, path, key, folder)
                clients += n
                named += one
                kept += other
            except AssertionError as e:
                print(e)
                bad += 1
    print(f"{len(paths)} captures, {clients} clients, {bad} wrong; {kept} of {named} findings kept their name")
    return 1 if bad or not clients or not kept else 0


if __name__ == "__main__":
    sys.exit(main())
