#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What reports made with --redact-names say of names: redacted.py WMSCOPE PCAPS SCHEMA_CHECK SCHEMA

Every file of such a report is searched for every name that the analysis reads in the capture, as text, as
hexadecimal digits and as bytes as DNS sends them. All else is as in the report with names: the same
findings, and one name has one pseudonym everywhere, in all reports of one key.
"""
import html
import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile

from anonymize import KEY, run
from html_page import EVIL
from private import contents, load

CAPTURES = ("sni-rst-onpath", "dns-onpath", "dns-onpath-nx", "host-rst-onpath", "page-onpath", "page-iframe",
            "page-later", "quic-sni-drop", "tls-mitm", "tls-proxy", "name-policed", "boxes-same-name",
            "residual-3tuple-rst", "keyword-rst", "hello-shape", "ech-drop")
HOST = re.compile(r"(name-[a-z2-7]{10})(\.name-[a-z2-7]{10})*(\.example)?\.?(:\d+)?")


def is_address(name):
    try:
        ipaddress.ip_address(re.sub(r"(?<!:)(?<=[0-9\]]):\d+$", "", name).strip("[]"))
        return True
    except ValueError:
        return False


def of_flow(e):
    """(kind, name) of all that a flow's event quotes."""
    for key in ("tls", "quic"):
        said = e.get(key) or {}
        yield "host", said.get("sni")
        yield "text", said.get("issuer")
        yield "host", said.get("subject")
        yield "hash", said.get("spki_sha256")
    http = e.get("http") or {}
    yield "host", http.get("host")
    yield "path", http.get("path")
    yield "path", http.get("location")


def of_finding(f):
    if f["trigger"]["kind"] not in ("protocol", "none"):
        yield "host", f["trigger"]["value"]
    page = f.get("page") or {}
    yield "text", page.get("title")
    yield "path", page.get("frame")
    dns = f.get("dns") or {}
    yield "host", dns.get("qname")
    for answer in dns.get("answers", []):
        if not answer.isupper():
            yield "host", answer


def of_event(e):
    if e["event_type"] == "flow":
        yield from of_flow(e)
    elif e["event_type"] == "finding":
        yield from of_finding(e["finding"])
    elif e["event_type"] == "trigger" and e["trigger"]["kind"] != "protocol":
        yield "host", e["trigger"]["value"]


def names_of(folder):
    """In the order of the events, of which both reports have the same."""
    return [n for e in load(folder + "/events.jsonl") if e["event_type"] != "trigger" for n in of_event(e)]


def triggers_of(folder):
    return {n for e in load(folder + "/events.jsonl") if e["event_type"] == "trigger" for n in of_event(e)}


def queries_of(folder):
    with open(folder + "/dns.csv", encoding="utf-8") as f:
        rows = [line.rstrip("\n").split(",") for line in f]
    at = rows[0].index("qname")
    return {("host", row[at]) for row in rows[1:]}


def forms(name):
    """A name as it could be left in a file; beneath each, what surrounds it decides nothing."""
    raw = name.encode("utf-8", "surrogateescape")
    for text in {raw, raw.lower(), raw.upper()}:
        yield text
        yield text.hex().encode()
        if b"." in text:
            labels = text.rstrip(b".").split(b".")
            if all(0 < len(x) < 64 for x in labels):
                yield b"".join(bytes((len(x),)) + x for x in labels)
    yield raw.decode("utf-8", "replace").encode("utf-16-le")


def secrets_of(names):
    """Those that a search can look for: what is shorter, or an address, is found for other reasons too."""
    return {n for _, n in names
            if n and len(n) > 4 and not is_address(n) and not n.startswith("http://10.")}


def check_gone(what, data, secrets):
    for name in secrets:
        for form in forms(name):
            at = data.find(form)
            assert at < 0, f"{what}: {name!r} is left at {at}: {data[max(at - 40, 0):at + 60]!r}"


def check_shape(kind, real, shown):
    assert (real is None) == (shown is None), (real, shown)
    if not real or real in ("/", "*") or is_address(real):
        return
    assert shown != real, real
    if kind == "host":
        assert HOST.fullmatch(shown), (real, shown)
        assert min(real.count("."), 11) == shown.count("."), (real, shown)
    elif kind == "text":
        assert re.fullmatch("text-[a-z2-7]{10}", shown), (real, shown)
    elif kind == "path":
        assert "path-" in shown or "name-" in shown or "10." in shown, (real, shown)


def shape_of(events):
    """Findings without names and addresses."""
    return [(e["finding"]["id"], e["finding"]["verdict"], e["finding"]["score"], e["finding"]["packets"],
             e["finding"]["trigger"]["kind"], [(r["kind"], r["grade"]) for r in e["finding"]["evidence"]])
            for e in events if e["event_type"] == "finding"]


class Bench:
    def __init__(self, wmscope, folder, key):
        self.wmscope, self.folder, self.key = wmscope, folder, key
        self.known = {}

    def report(self, name, command, *args):
        out = os.path.join(self.folder, name)
        run(self.wmscope, command, "-q", "--all-names", "-o", out, *args)
        return out

    def shared(self, name, command, *args):
        """All that can be written without names."""
        extra = ("--private", "--zeek", os.path.join(self.folder, name, "zeek"),
                 "--text", os.path.join(self.folder, name, "again.txt"))
        os.makedirs(os.path.join(self.folder, name))
        return self.report(name, command, "--redact-names", "--key", self.key, *extra, *args)

    def compare(self, what, real, shared):
        """The two reports of one capture."""
        before, after = names_of(real), names_of(shared)
        assert len(before) == len(after), f"{what}: {len(before)} names became {len(after)}"
        for (kind, name), (_, shown) in zip(before, after):
            check_shape(kind, name, shown)
            if name and "�" not in name:
                known = self.known.setdefault((kind, name.lower()), shown)
                assert known == shown, f"{what}: {name} is {known} and {shown}"
        secrets = secrets_of({*before, *triggers_of(real), *queries_of(real)})
        for path, data in contents(shared):
            check_gone(path, data, secrets)
        events = [load(out + "/events.jsonl") for out in (real, shared)]
        assert shape_of(events[0]) == shape_of(events[1]), f"{what}: other findings"
        assert len(events[0]) == len(events[1]), f"{what}: other events"
        assert events[1][0]["run"]["names"] == "pseudonymous" and events[0][0]["run"]["names"] == "real"
        return secrets


def check_capture(bench, path, number):
    real = bench.report(f"real-{number}", "analyze", "--show-clients", path)
    shared = bench.shared(f"shared-{number}", "analyze", path)
    secrets = bench.compare(path, real, shared)
    # The search sees what it looks for where it is.
    whole = b"".join(data for _, data in contents(real))
    for name in secrets:
        if "�" not in name and "\\" not in name:
            assert any(form in whole for form in forms(name)), f"{path}: {name!r} is nowhere"
    return shared, secrets


def evil(pcaps, folder):
    """The same with bytes in a name that no name has."""
    for source in ("sni-rst-onpath/client.pcap", "host-rst-onpath/client.pcapng", "dns-onpath/client.pcap"):
        with open(os.path.join(pcaps, source), "rb") as f:
            data = f.read()
        for number, name in enumerate(EVIL + (b"a b!;c'", b"BLocKED")):
            path = os.path.join(folder, f"evil-{number}-{source.replace('/', '-')}")
            with open(path, "wb") as f:
                f.write(data.replace(b"blocked", name))
            yield path, name


def evil_forms(name):
    spelt = "".join(chr(c) if 0x20 < c < 0x7f and c != 0x5c else f"\\x{c:02x}" for c in name)
    text = name.decode("utf-8", "replace")
    # As RFC 1035 section 5.1 writes them.
    dns = "".join(("\\" if chr(c) in '"\\$@;()' else "") + chr(c) if 0x20 < c < 0x7f else f"\\{c:03}"
                  for c in name)
    for form in (name, name.hex().encode(), dns.encode(), json.dumps(dns)[1:-1].encode(), spelt.encode(),
                 html.escape(text).encode(), html.escape(text, quote=False).encode(), json.dumps(text)[1:-1].encode(),
                 json.dumps(text, ensure_ascii=False)[1:-1].encode()):
        yield form
        yield form.lower()


def check_evil(bench, pcaps):
    for number, (path, name) in enumerate(evil(pcaps, bench.folder)):
        real = bench.report(f"evil-real-{number}", "analyze", "--show-clients", path)
        shared = bench.shared(f"evil-out-{number}", "analyze", path)
        whole = b"".join(data for _, data in contents(real))
        wanted = set(evil_forms(name + b".example"))
        assert any(form in whole for form in wanted), name
        for out, data in contents(shared):
            for form in wanted:
                assert form not in data, f"{out}: {form!r} is left of {path}"


def check_merged(bench, parts, secrets):
    """Pseudonyms of one key meet; without the key's option a merge has the names again."""
    shared = bench.shared("merged", "merge", *parts)
    for path, data in contents(shared):
        check_gone(path, data, secrets)
    merged = {name for _, name in names_of(shared)}
    assert merged == {name for part in parts for _, name in names_of(part)}


def check_compare(bench, pcaps):
    pair = [os.path.join(pcaps, "sni-rst-onpath", f"{side}.pcap") for side in ("client", "server")]
    real = bench.report("pair-real", "compare", "--show-clients", *pair)
    shared = bench.shared("pair", "compare", *pair)
    assert bench.compare("compare", real, shared), "no names: the test shows nothing"


def check_keys(bench, path):
    """A key that is not kept is another in each run."""
    outs = [bench.report(f"other-{i}", "analyze", "--redact-names", path) for i in (0, 1)]
    names = [{name for kind, name in names_of(out) if kind == "host" and name} for out in outs]
    assert names[0] and not names[0] & names[1], names


def check_again(bench, path, shared):
    """A report without names is repeated with its key, and refused without."""
    manifest = os.path.join(shared, "report.json")
    for key, status in ((("--key", bench.key), 0), ((), 2)):
        done = subprocess.run([bench.wmscope, "analyze", "-q", "--all-names", *key, "--from", manifest, path],
                              capture_output=True, check=False)
        assert done.returncode == status, (key, done)


def check_refused(bench, path):
    out = os.path.join(bench.folder, "refused")
    for args in (("--show-clients", "-o", out), ("--keep-payload", "-o", out), ("--jsonl", "-")):
        done = subprocess.run([bench.wmscope, "analyze", "-q", "--redact-names", *args, path],
                              capture_output=True, check=False)
        assert done.returncode == 2 and not os.path.exists(out), (args, done)


def main():
    wmscope, pcaps, schema_check, schema = sys.argv[1:]
    total = set()
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(KEY)
        bench, parts = Bench(wmscope, folder, key), []
        for number, name in enumerate(CAPTURES):
            found = sorted(n for n in os.listdir(os.path.join(pcaps, name)) if n.startswith("client"))
            path = os.path.join(pcaps, name, found[0])
            shared, secrets = check_capture(bench, path, number)
            parts.append(shared)
            total |= secrets
            if number == 0:
                check_keys(bench, path)
                check_again(bench, path, shared)
                check_refused(bench, path)
        subprocess.run([sys.executable, schema_check, schema, parts[0] + "/events.jsonl"], check=True)
        check_merged(bench, parts, total)
        check_compare(bench, pcaps)
        check_evil(bench, pcaps)
    print(f"{len(CAPTURES)} captures, {len(total)} names")


if __name__ == "__main__":
    main()
