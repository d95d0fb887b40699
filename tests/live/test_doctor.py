#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope doctor` tells what was set on purpose: test_doctor.py WMSCOPE SCHEMA"""
import json
import os
import subprocess
import sys
import time

from capturing import Pair

try:
    import jsonschema
except ImportError:
    jsonschema = None


def checks(argv, validator):
    """{(group, name): row} of what it says."""
    out = subprocess.run([*argv, "--json", "-"], stdout=subprocess.PIPE, check=True).stdout
    event = json.loads(out)
    if validator is not None:
        validator.validate(event)
    rows = event["doctor"]["checks"]
    found = {(r["group"], r["name"]): r for r in rows}
    assert len(found) == len(rows), "a thing is told twice"
    for row in rows:
        assert row["value"] and (row["advice"] or row["state"] != "bad"), row
    return found


def unprivileged(wmscope, validator):
    if os.geteuid() == 0:
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", wmscope, "doctor"]
    else:
        argv = [wmscope, "doctor"]
    found = checks(argv, validator)
    row = found["rights", "CAP_NET_RAW"]
    assert row["state"] == "bad" and "sudo" in row["advice"], row
    assert found["kernel", "AF_PACKET"]["state"] == "unknown", found["kernel", "AF_PACKET"]


def without_proc(pair, wmscope):
    """What cannot be learnt of an interface's use is no leave to take it."""
    hidden = pair.argv(pair.names[1], "unshare", "-m", "sh", "-c",
                       'mount -t tmpfs none /proc && exec "$@"', "sh", wmscope)
    done = subprocess.run([*hidden, "replay", "-i", "right0", os.devnull], capture_output=True, check=False)
    assert done.returncode == 4 and b"the kernel does not say its routes" in done.stderr, done
    said = subprocess.run([*hidden, "doctor", "-i", "right0"], capture_output=True, check=False).stdout
    assert b"may be in use" in said, said


def killed():
    """The namespaces of a test that was killed go too."""
    here = os.path.dirname(os.path.abspath(__file__))
    script = ("import os, signal\nfrom capturing import Pair\n"
              "with Pair() as pair:\n    print(*pair.names, flush=True)\n"
              "    os.kill(os.getpid(), signal.SIGKILL)\n")
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=here, stdout=subprocess.PIPE, check=False)
    names = done.stdout.decode().split()
    assert done.returncode == -9 and len(names) == 2, done
    end = time.monotonic() + 10
    while any(os.path.exists(f"/run/netns/{name}") for name in names):
        assert time.monotonic() < end, names
        time.sleep(0.05)


def main():
    wmscope, schema = os.path.abspath(sys.argv[1]), sys.argv[2]
    validator = None
    if jsonschema is not None:
        with open(schema, encoding="utf-8") as f:
            validator = jsonschema.Draft202012Validator(json.load(f))
    unprivileged(wmscope, validator)
    missing = subprocess.run([wmscope, "doctor", "-i", "no such one"], stderr=subprocess.PIPE,
                             check=False)
    assert missing.returncode == 4 and b"No such device" in missing.stderr, missing
    with Pair() as pair:
        def ask():
            rows = checks(pair.argv(pair.names[1], wmscope, "doctor", "-i", "right0"), validator)
            return {name: row for (group, name), row in rows.items() if group == "interface"}

        assert ask()["driver"]["value"] == "veth" and ask()["up"]["state"] == "good"
        for name, key, bad in (("GRO", "gro", "bad"), ("TSO", "tso", "note"),
                               ("checksums on sending", "tx", "note")):
            for state in "on", "off":
                pair.right("ethtool", "-K", "right0", key, state)
                row = ask()[name]
                assert (row["value"], row["state"]) == (state, bad if state == "on" else "good"), row
                command = f"ethtool -K right0 {key} off"
                assert state == "off" or row["advice"].endswith(command), row
        assert ask()["in use"]["value"] == "no"
        without_proc(pair, wmscope)
        pair.right("ip", "addr", "add", "192.0.2.1/24", "dev", "right0")
        assert "1 address" in ask()["in use"]["value"]
        pair.right("ip", "route", "add", "default", "via", "192.0.2.2")
        assert "default route" in ask()["in use"]["value"]
        pair.right("ip", "link", "set", "right0", "mtu", "1234", "down")
        found = ask()
        assert found["MTU"]["value"] == "1234" and found["up"]["state"] == "bad", found
        assert found["XDP in the driver"]["state"] in ("good", "unknown"), found
        text = subprocess.run(pair.argv(pair.names[1], wmscope, "doctor", "-i", "right0"),
                              stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
        assert "BAD   up" in text and max(map(len, text.splitlines())) <= 98, text
    killed()
    print("what was set is what is told")
    return 0


if __name__ == "__main__":
    sys.exit(main())
