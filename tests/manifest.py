#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The manifest of a report, and what is repeated from it: manifest.py WMSCOPE SCHEMA CAPTURE CAPTURE

Its hashes are those of inputs and files; a repeated run is the same with any number of workers and with files
given in another order, and is not the same with another filter, a changed hash or another wmscope's rows. A
manifest of a stranger cannot have anything written. A comparison is repeated in the same way, by compare alone;
its two captures are of CAPTURE's folder.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None

SAME, DIFFERENT, USAGE, INPUT, IO = 0, 1, 2, 3, 4


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def compared(wmscope, folder, client, analyzed):
    """What two captures prove: repeated by compare, and no question to ask of one, nor one to pool."""
    server = os.path.join(os.path.dirname(client), "server.pcap")
    pair = os.path.join(folder, "pair")
    manifest = os.path.join(pair, "report.json")
    given = ("-f", "tcp or udp", "--client", "192.0.2.77", "--min-verdict", "anomaly")

    def run(*args):
        return subprocess.run([wmscope, *args], capture_output=True, timeout=120, cwd=folder, check=False)

    def repeat(*args, said=None):
        path = manifest
        if said is not None:
            path = os.path.join(folder, "other.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(said, f)
        before = sorted(os.listdir(folder))
        done = run("compare", "-q", "--from", path, *args)
        assert sorted(os.listdir(folder)) == before, "something was written"
        return done

    done = run("compare", "-q", *given, "--show-clients", "-o", pair, client, server)
    assert done.returncode == 1, done
    with open(manifest, encoding="utf-8") as f:
        said = json.load(f)
    assert sorted(said["options"]) == ["--client=192.0.2.77", "--filter=tcp or udp", "--min-verdict=anomaly"]
    assert [(i["file"], i["sha256"]) for i in said["inputs"]] == [(p, sha256(p)) for p in (client, server)]
    assert said["tables"]["findings"]["rows"] > 0
    done = repeat()
    assert done.returncode == SAME and b"The result is the same." in done.stdout, done
    assert repeat(server, client).returncode == SAME, "which end a file is of is known by its hash"
    assert repeat("-f", "tcp[tcpflags] & tcp-rst == 0").returncode == DIFFERENT
    assert repeat(client).returncode == INPUT and repeat(client, client).returncode == INPUT
    assert repeat(client, server, server).returncode == INPUT
    changed = json.loads(json.dumps(said))
    changed["tables"]["findings"]["sha256"] = "0" * 64
    done = repeat(said=changed)
    assert done.returncode == DIFFERENT and b"The result is not the same." in done.stdout, done
    for option in ("--output=x", "--jsonl=x", "--from=x", "--workers=2", "x"):
        assert repeat(said={**said, "options": [option]}).returncode == INPUT, option
    assert repeat(said={**said, "inputs": said["inputs"][:1]}).returncode == USAGE
    # Each by the command that made it.
    assert run("compare", "-q", "--from", analyzed).returncode == USAGE
    assert run("analyze", "-q", "--from", manifest).returncode == USAGE
    done = run("merge", "-q", pair)
    assert done.returncode == INPUT and b"a report of compare" in done.stderr, done
    # Without clients the report does not say which address was given.
    done = run("compare", "-q", *given, "-o", pair, client, server)
    with open(manifest, encoding="utf-8") as f:
        text = f.read()
    assert "192.0.2.77" not in text and folder not in text and client not in text
    assert "--client=\u2026" in json.loads(text)["options"]
    assert repeat(*given[:4], client, server).returncode == SAME, "whatever the key"
    assert repeat().returncode == INPUT
    shutil.rmtree(pair)


def main():
    wmscope, schema, *captures = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report")
        manifest = os.path.join(report, "report.json")

        def analyze(*args):
            return subprocess.run([wmscope, "analyze", "-q", *args], capture_output=True, timeout=120,
                                  cwd=folder)

        def repeat(*args, said=None):
            path = manifest
            if said is not None:
                path = os.path.join(folder, "other.json")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(said if isinstance(said, str) else json.dumps(said))
            before = sorted(os.listdir(folder))
            run = analyze("--from", path, *args)
            assert sorted(os.listdir(folder)) == before, "something was written"
            return run.returncode

        given = ("--no-ndpi", "--vantage", "client", "-f", "tcp or udp")
        run = analyze(*given, "--show-clients", "-o", report, *captures)
        if run.returncode == USAGE:
            run = analyze(*given, "-o", report, *captures)
        assert run.returncode == 1, run.stderr.decode()
        with open(manifest, encoding="utf-8") as f:
            said = json.load(f)
        if jsonschema is not None:
            with open(schema, encoding="utf-8") as f:
                jsonschema.validate(said, json.load(f))
        assert sorted(said["options"]) == ["--filter=tcp or udp", "--no-ndpi", "--vantage=client"], said["options"]
        assert [i["file"] for i in said["inputs"]] == captures
        for one in said["inputs"]:
            assert (one["sha256"], one["size"]) == (sha256(one["file"]), os.path.getsize(one["file"]))
        there = {os.path.relpath(os.path.join(at, name), report) for at, _, names in os.walk(report)
                 for name in names} - {"report.json"}
        assert {f["name"] for f in said["files"]} == there, there
        for one in said["files"]:
            assert one["sha256"] == sha256(os.path.join(report, one["name"])), one["name"]
        with open(os.path.join(report, "flows.csv"), encoding="utf-8") as f:
            assert said["tables"]["flows"]["rows"] == len(f.readlines()) - 1 > 0

        assert repeat() == SAME
        assert repeat("--workers", "3") == SAME
        assert repeat(*reversed(captures)) == SAME, "files are known by their hashes"
        moved = os.path.join(folder, "moved.pcap")
        shutil.copy(captures[0], moved)
        assert repeat(captures[1], moved) == SAME, "wherever they are"
        assert repeat("-f", "port 80") == DIFFERENT
        assert repeat("--vantage", "server") == DIFFERENT
        assert repeat(captures[0]) == INPUT and repeat(captures[0], captures[0]) == INPUT
        assert repeat(captures[0], captures[1], captures[1]) == INPUT
        assert repeat(captures[0], wmscope) == INPUT
        changed = json.loads(json.dumps(said))
        changed["tables"]["findings"]["sha256"] = "0" * 64
        assert repeat(said=changed) == DIFFERENT
        for bad in ("", "{", "[]", "{}", '{"format":"wmscope-report","schema":2}', "\x00", "[" * 100):
            assert repeat(said=bad) == INPUT, bad
        for option in ("--output=x", "--outp=x", "--jsonl=x", "-ox", "--text=x", "x", "--", "--pcapng=x", 7):
            assert repeat(said={**said, "options": [option]}) == INPUT, option
        assert repeat(said={**said, "inputs": [{"file": "-", "sha256": None}]}) == INPUT
        assert analyze("--from", os.path.join(folder, "none.json")).returncode == INPUT
        compared(wmscope, folder, captures[0], manifest)
        # Without clients: nothing private is said, and whoever repeats it needs the files and the filter.
        run = analyze(*given, "-o", report, *captures)
        with open(manifest, encoding="utf-8") as f:
            text = f.read()
        said = json.loads(text)
        assert said["clients"] == "pseudonymous" and folder not in text and captures[0] not in text
        assert sorted(said["options"]) == ["--filter=\u2026", "--no-ndpi", "--vantage=client"], said["options"]
        assert repeat("-f", "tcp or udp", *captures) == SAME, "whatever the key"
        assert repeat(*captures) == DIFFERENT, "without the filter"
        assert repeat("-f", "tcp or udp", *captures, "--key", captures[0]) in (USAGE, IO)
        assert repeat() == INPUT
    print(f"{len(said['files'])} files, {len(said['tables'])} tables")


if __name__ == "__main__":
    main()
