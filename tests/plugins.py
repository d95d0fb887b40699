#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plug-ins of users: plugins.py WMSCOPE ROOT SCHEMA MANIFEST-SCHEMA ABI-HEADER HEADER... -- COMPILER...

One of each kind (tests/plugins/) is compiled against the public headers alone, as they are installed, and does
what the same thing would within wmscope: a signature's evidence stands in findings that the judge made, a
classifier's labels beside nDPI's, a device among those that packets look like, a source's files are read as
captures are. What they say beyond measure is cut. Reports name them with their SHA-256, and a repeated run says
which it lacks. What others may write, what was made for another wmscope, and names that are taken are refused
before anything is written.
"""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None

DONE, FOUND, USAGE, INPUT = 0, 1, 2, 3


class Bench:
    """Where plug-ins are made and used."""

    def __init__(self, args, folder):
        self.compiler = args[args.index("--") + 1:]
        self.wmscope, self.root, schema, manifest, abi, *headers = map(
            os.path.abspath, args[:args.index("--")])
        self.folder = folder
        self.include = os.path.join(folder, "include")
        for header in headers:
            self.stage(header, os.path.relpath(header, self.root))
        self.stage(abi, "dataplane/abi.h")
        with open(abi, encoding="utf-8") as f:
            self.abi = re.search(r'"(.*)"', f.read())[1]
        self.schemas = []
        for path in (schema, manifest):
            with open(path, encoding="utf-8") as f:
                said = json.load(f)
            self.schemas.append(jsonschema.Draft202012Validator(said) if jsonschema is not None else None)
        self.capture = os.path.join(self.root, "pcaps", "sni-rst-onpath", "client.pcap")

    def stage(self, header, name):
        to = os.path.join(self.include, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(header, to)

    def make(self, name, out=None, *defines, source=None):
        """The path of tests/plugins/NAME.c, or of the text source, as a shared object."""
        to = os.path.join(self.folder, (out or name) + ".so")
        path = os.path.join(self.root, "tests", "plugins", name + ".c")
        if source is not None:
            path = os.path.join(self.folder, name + ".c")
            with open(path, "w", encoding="utf-8") as f:
                f.write(source)
        subprocess.run([*self.compiler, "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-I",
                        self.include, *(f"-D{d}" for d in defines), "-o", to, path], check=True)
        os.chmod(to, 0o755)
        return to

    def run(self, *args):
        done = subprocess.run([self.wmscope, *args], capture_output=True, timeout=120, cwd=self.folder,
                              check=False)
        assert done.returncode >= 0, (args, done)
        return done

    def events(self, *args):
        done = self.run("analyze", "-q", "--jsonl", "-", *args)
        assert done.returncode in (DONE, FOUND), done
        found = [json.loads(line) for line in done.stdout.splitlines()]
        for event in found if self.schemas[0] is not None else ():
            self.schemas[0].validate(event)
        return found


def of(events, kind):
    return [e for e in events if e["event_type"] == kind]


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def listed(b, plugins):
    for kind, (path, name) in plugins.items():
        done = b.run("list", kind, "--load", path)
        assert done.returncode == DONE, done
        lines = done.stdout.decode().splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(name + " "))
        assert lines[at + 1].split() == ["loaded", path], lines[at:]
        assert name not in b.run("list", kind).stdout.decode()


def a_signature(b, path):
    """Its row stands beside the others, and the judge says what he said without it."""
    before, after = of(b.events(b.capture), "finding"), of(b.events("--load", path, b.capture), "finding")
    assert len(before) == len(after) == 4
    rows = 0
    for x, y in zip(before, after):
        x, y = x["finding"], y["finding"]
        assert (x["id"], x["verdict"], x["packets"]) == (y["id"], y["verdict"], y["packets"])
        mine = [r for r in y["evidence"] if r["kind"] == "test-last-reset"]
        assert [r for r in y["evidence"] if r not in mine] == x["evidence"]
        for row in mine:
            assert row["grade"] == "D2" and row["packet"] in y["packets"] and "hops away" in row["value"], row
        rows += len(mine)
    assert rows == 3, rows
    # What it is alone: of a capture in which nothing else would testify.
    run = of(b.events("--load", path, b.capture), "run")[0]["run"]
    assert run["plugins"] == [{"file": "signature.so", "sha256": sha256(path),
                               "adds": "signature test-last-reset"}], run["plugins"]
    text = b.run("analyze", "-q", "--load", path, b.capture).stdout.decode()
    assert f"With the plug-in signature.so (SHA-256 {sha256(path)[:16]}" in text


def a_silent_one(b):
    """Since it might look for anything, every connection is weighed: the others find no more for that."""
    path = b.make("signature", "silent", "SILENT")
    for name in ("client-abort", "closed-port", "congested-1m", "dns-onpath", "reordered-rst"):
        capture = os.path.join(b.root, "pcaps", name, "client.pcap")
        assert of(b.events("--load", path, capture), "finding") == of(b.events(capture), "finding"), name


def with_capabilities(b, path):
    """A program that may more than who runs it lends that to no file but root's."""
    if os.geteuid() != 0 or shutil.which("setcap") is None or shutil.which("setpriv") is None:
        return
    own, program = os.path.join(b.folder, "own"), os.path.join(b.folder, "wmscope")
    os.mkdir(own)
    given = shutil.copy(path, own)
    shutil.copy(b.wmscope, program)
    for name in own, given:
        os.chown(name, 65534, 65534)
    os.chmod(b.folder, 0o755)
    ask = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "list", "signatures", "--load"]

    def asked(file):
        return subprocess.run([*ask, file], capture_output=True, check=False, cwd="/")

    assert asked(given).returncode == DONE, asked(given)
    with open("/proc/self/status", encoding="ascii") as f:
        none = "NoNewPrivs:\t1" in f.read() or os.statvfs(program).f_flag & os.ST_NOSUID != 0
    set_up = subprocess.run(["setcap", "cap_net_raw+ep", program], capture_output=True, check=False).returncode
    if none or set_up != 0 or asked(path).returncode != DONE:
        return  # nobody is given any here
    done = asked(given)
    assert done.returncode == USAGE and b"neither root nor" in done.stderr, done


def out_of_bounds(b):
    """255 suspects that are not there, texts without an end; a grade that is none says nothing."""
    for grade, rows in ((4, 3), (9, 0), (0, 0)):
        path = b.make("signature", f"bad{grade}", f"BAD={grade}")
        events = b.events("--load", path, b.capture)
        last = max(e["flow"]["pkts_toserver"] + e["flow"]["pkts_toclient"] + e["pcap_cnt"]
                   for e in of(events, "flow"))
        said = [r for e in of(events, "finding") for r in e["finding"]["evidence"]
                if r["kind"] == "test-last-reset"]
        assert len(said) == rows, (grade, said)
        for e in of(events, "finding"):
            assert all(0 < p <= last for p in e["finding"]["packets"]), e
        for row in said:
            assert set(row["value"]) == {"x"} and set(row["expected"]) == {"y"} and len(row["value"]) == 95


def a_classifier(b, path):
    events = b.events("--load", path, b.capture)
    both = 0
    for e in of(events, "flow"):
        labels = {label["by"]: label for label in e["labels"]}
        if "test-first-byte" not in labels:
            continue
        label = labels["test-first-byte"]
        assert re.fullmatch(r"First\?\.[0-9a-f]{2}", label["app"]), label
        assert label["category"] == "z" * 23 and label["confidence"] == "", label
        both += 1
    assert both == 8, both
    # With nDPI, where it is built in: neither takes the other's place.
    without = [label for e in of(b.events(b.capture), "flow") for label in e["labels"]]
    rest = [label for e in of(events, "flow") for label in e["labels"] if label["by"] != "test-first-byte"]
    assert rest == without


def a_device(b, path):
    for e in of(b.events("--load", path, b.capture), "finding"):
        devices = e["finding"]["devices"]
        if not e["finding"]["packets"] or e["finding"].get("scope"):
            continue
        mine = [d for d in devices if d["id"] == "test-box"]
        assert len(mine) == 1 and mine[0]["grade"] == "A1" and mine[0]["hops"] == 7, devices
        assert mine[0]["packets"] == e["finding"]["packets"]


def as_hex(path, to):
    """A classic pcap in the source's own format."""
    with open(path, "rb") as f:
        data = f.read()
    magic, = struct.unpack("<I", data[:4])
    scale = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
    at = 24
    with open(to, "w", encoding="utf-8") as out:
        out.write("HEX-FRAMES\n")
        while at < len(data):
            sec, sub, caplen, _ = struct.unpack("<IIII", data[at:at + 16])
            out.write(f"{sec * 10**9 + sub * scale} {data[at + 16:at + 16 + caplen].hex()}\n")
            at += 16 + caplen


def a_source(b, path):
    """The same findings of the same packets, also where they are read again to be written."""
    hexed = os.path.join(b.folder, "client.hex")
    as_hex(b.capture, hexed)
    assert b.run("analyze", "-q", hexed).returncode == INPUT
    assert of(b.events("--load", path, hexed), "finding") == of(b.events(b.capture), "finding")
    assert of(b.events("--load", path, b.capture), "flow") == of(b.events(b.capture), "flow")
    done = b.run("analyze", "-q", "--load", path, "--pcapng", "again.pcapng", hexed)
    assert done.returncode == FOUND and os.path.getsize(os.path.join(b.folder, "again.pcapng")) > 1000, done
    done = b.run("analyze", "-q", "--load", path, "-f", "tcp", hexed)
    assert done.returncode == USAGE and b"no filter" in done.stderr, done
    server = os.path.join(os.path.dirname(b.capture), "server.pcap")
    two = [b.run("compare", "-q", "--jsonl", "-", "--load", path, client, server)
           for client in (b.capture, hexed)]
    said = [json.dumps(of(map(json.loads, done.stdout.splitlines()), "finding")) for done in two]
    assert len(said[0]) > 2 and said[0].replace(b.capture, hexed) == said[1], said
    done = b.run("anonymize", "-q", "--load", path, hexed, "shared.pcapng")
    assert done.returncode == DONE and len(of(b.events("shared.pcapng"), "finding")) == 4, done
    done = b.run("capture", "-i", "lo", "--load", path, "--engine", "test-hex")
    assert done.returncode == USAGE and b"--engine" in done.stderr, done


def a_live_source(b, path):
    """Instead of an interface's: what capture finds is what analyze does."""
    done = b.run("capture", "-q", "-i", "client.hex", "--load", path, "--engine", "test-hex", "-w", "live.pcapng",
                 "--jsonl", "-")
    assert done.returncode == FOUND, done
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert of(found, "finding") == of(b.events(b.capture), "finding")
    assert of(b.events("live.pcapng"), "finding") == of(found, "finding")


def a_sink(b, path, source):
    """Frames of a capture, and of a plug-in's source, through a plug-in's sink."""
    for given, load in ((b.capture, ()), (os.path.join(b.folder, "client.hex"), ("--load", source))):
        done = b.run("replay", "--load", path, *load, "--engine", "test-nowhere", "-i", "lo",
                     "--yes-this-interface", "-r", "max", "--stats", "stats.json", given)
        assert done.returncode == DONE, done
        with open(os.path.join(b.folder, "stats.json"), encoding="utf-8") as f:
            said = json.load(f)["replay"]
        assert said["engine"] == "test-nowhere" and said["packets"]["sent"] == 85, said
    done = b.run("replay", "--engine", "test-nowhere", "-i", "lo", b.capture)
    assert done.returncode == USAGE and b"--engine" in done.stderr, done


def same_for_all_workers(b, paths):
    load = [word for path in paths for word in ("--load", path)]
    outs = {json.dumps([e for e in b.events("--workers", n, *load, b.capture)
                        if e["event_type"] != "run"]) for n in ("1", "2", "8")}
    assert len(outs) == 1


def repeated(b, path):
    def report(name, *args):
        done = b.run("analyze", "-q", "--show-clients", "-o", name, *args, b.capture)
        assert done.returncode == FOUND, done
        manifest = os.path.join(b.folder, name, "report.json")
        with open(manifest, encoding="utf-8") as f:
            said = json.load(f)
        if b.schemas[1] is not None:
            b.schemas[1].validate(said)
        return manifest, said

    manifest, said = report("with", "--load", path)
    assert said["plugins"] == [{"file": "signature.so", "sha256": sha256(path),
                                "adds": "signature test-last-reset"}]
    assert not [o for o in said["options"] if "load" in o], said["options"]
    with open(os.path.join(b.folder, "with", "report.html"), encoding="utf-8") as f:
        assert sha256(path) in f.read()
    done = b.run("analyze", "-q", "--load", path, "--from", manifest)
    assert done.returncode == DONE and b"plug-in" not in done.stdout, done
    done = b.run("analyze", "-q", "--from", manifest)
    assert done.returncode == FOUND and f"signature.so of SHA-256 {sha256(path)}, which".encode() in done.stdout, done
    other = b.make("signature", "other", "ID=\"test-other\"")
    done = b.run("analyze", "-q", "--load", other, "--from", manifest)
    assert done.returncode == FOUND, done
    assert b"which this run has not" in done.stdout and b"which the report was made without" in done.stdout, done
    # A report comes from anybody: code that it names is not run.
    said["options"].append(f"--load={path}")
    with open(os.path.join(b.folder, "forged.json"), "w", encoding="utf-8") as f:
        json.dump(said, f)
    done = b.run("analyze", "-q", "--from", "forged.json")
    assert done.returncode == INPUT and b"no option that a report may give" in done.stderr, done
    # Reports that were made with other plug-ins are no parts of one.
    report("without")
    done = b.run("merge", "-q", "-o", "merged", "with", "without")
    assert done.returncode == USAGE and b"signature.so" in done.stderr, done
    done = b.run("merge", "-q", "--show-clients", "-o", "merged", "with")
    assert done.returncode == FOUND, done
    with open(os.path.join(b.folder, "merged", "report.json"), encoding="utf-8") as f:
        assert json.load(f)["plugins"][0]["sha256"] == sha256(path)


def refused(b, path):
    def says(given, *words, extra=()):
        done = b.run("analyze", "--jsonl", "out.jsonl", *extra, "--load", given, b.capture)
        text = done.stderr.decode()
        assert done.returncode == USAGE and f"error: {given}: --load: " in text, done
        assert all(w in text for w in words), (words, text)
        assert not os.path.exists(os.path.join(b.folder, "out.jsonl")), given

    def changed(name, change):
        to = os.path.join(b.folder, name)
        shutil.copy(path, to)
        change(to)
        return to

    says("signature.so", "with a slash")
    says("./nothing.so", "No such file")
    says(b.folder, "no regular file")
    says(changed("text.so", lambda p: open(p, "w", encoding="utf-8").write("text")), "")
    says(changed("open.so", lambda p: os.chmod(p, 0o757)), "written to by others")
    os.mkdir(os.path.join(b.folder, "anybody's"))
    shutil.copy(path, os.path.join(b.folder, "anybody's"))
    os.chmod(os.path.join(b.folder, "anybody's"), 0o777)
    says("./anybody's/signature.so", "its folder", "written to by others")
    os.symlink("anybody's/signature.so", os.path.join(b.folder, "link.so"))
    says("./link.so", "its folder")
    if os.geteuid() == 0:
        says(changed("other's.so", lambda p: os.chown(p, 12345, 0)), "neither root nor")
        says(changed("group's.so", lambda p: (os.chown(p, 0, 12345), os.chmod(p, 0o775))), "by others")
    says(b.make("signature", "abi", "ABI=\"0123456789abcdef\""), "0123456789abcdef", b.abi)
    says(b.make("signature", "null", "ABI=NULL"), "unset", b.abi)
    says(b.make("signature", "kind", "KIND=77"), "unknown kind")
    says(b.make("bare", source="int nothing = 1;\n"), "exports no wmscope_plugin")
    says(b.make("signature", "taken", "ID=\"data-after-rst\""), "'data-after-rst'", "taken")
    says(b.make("signature", "odd", "ID=\"Odd Name\\n\""), "small letters")
    says(b.make("signature", "sure", "BENIGN=\"\""), "innocent traffic")
    says(b.make("needs", source="void nobody_has_this(void);\nvoid x(void);\nvoid x(void)\n"
                                "{\n\tnobody_has_this();\n}\n"), "nobody_has_this")
    says(path, "loaded already", extra=("--load", path))
    says(b.make("signature", "twin"), "'test-last-reset'", "taken", extra=("--load", path))
    says(b.make("engine", source='#include "dataplane/abi.h"\n#include "dataplane/plugin.h"\n'
                'static const struct source_ops s = {.name = "dpdk"};\n'
                "const struct plugin wmscope_plugin[] = {{.abi = WMSCOPE_ABI, .kind = PLUGIN_SOURCE,"
                " .source = &s}, {.kind = PLUGIN_END}};\n"), "'dpdk'", "taken")
    done = b.run("list", "sinks", "--load", "nothing")
    assert done.returncode == USAGE and b"with a slash" in done.stderr, done


def all_that_may_be_called(b):
    with open(os.path.join(b.root, "dataplane", "plugin.list"), encoding="utf-8") as f:
        names = re.findall(r"\b([a-z][a-z0-9_]+);", re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL))
    assert len(names) > 40, names
    calls = "".join(f"extern char {n}[];\n" for n in names)
    path = b.make("calls", source=f'#include "dataplane/abi.h"\n#include "dataplane/plugin.h"\n{calls}'
                  "extern char *called[];\nchar *called[] = {" + ", ".join(names) + "};\n"
                  "const struct plugin wmscope_plugin[] = {{.abi = WMSCOPE_ABI, .kind = PLUGIN_END}};\n")
    done = b.run("list", "devices", "--load", path)
    assert done.returncode == DONE, done


def main():
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(sys.argv[1:], folder)
        plugins = {"signatures": (b.make("signature"), "test-last-reset"),
                   "classifiers": (b.make("classifier"), "test-first-byte"),
                   "devices": (b.make("device"), "test-box"), "sources": (b.make("source"), "test-hex"),
                   "sinks": (b.make("sink"), "test-nowhere")}
        paths = [path for path, _ in plugins.values()]
        listed(b, plugins)
        all_that_may_be_called(b)
        a_signature(b, paths[0])
        a_silent_one(b)
        out_of_bounds(b)
        a_classifier(b, paths[1])
        a_device(b, paths[2])
        a_source(b, paths[3])
        a_live_source(b, b.make("source", "live", "LIVE"))
        a_sink(b, paths[4], paths[3])
        same_for_all_workers(b, paths)
        repeated(b, paths[0])
        refused(b, paths[0])
        with_capabilities(b, paths[0])
    print("plug-ins of all kinds, and what is refused")


if __name__ == "__main__":
    main()
