#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Broken captures do no harm: hostile.py WMSCOPE FOLDER | hostile.py WMSCOPE --mutate FOLDER

Every file below FOLDER goes through `wmscope analyze` into all reports. The exit status must be 0,
1, 3 or 5, within 20 seconds and 1 GiB, and the reports must be text that cannot upset a terminal or
a reader of JSON, and a page whose markup is ours alone. With --mutate the files are cut, flipped and spliced copies of the captures in
FOLDER, the same at every run. Exits 77 where the folder is absent.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading

import html_page

SECONDS, KIB = 20, 1 << 20
STATUSES = (0, 1, 3, 5)
MUTANTS = 400
# Control characters, C1 and the marks that turn text around.
UPSETTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def run(wmscope, path, folder):
    """None, or what is wrong; and the most memory it took, in KiB."""
    jsonl, text, page = (os.path.join(folder, "out." + e) for e in ("jsonl", "txt", "html"))
    for name in (jsonl, text, page):
        if os.path.exists(name):
            os.remove(name)
    errors = os.path.join(folder, "stderr")
    with open(errors, "wb") as err:
        process = subprocess.Popen([wmscope, "analyze", "--jsonl", jsonl, "--text", text,
                                    "--html", page, path],
                                   stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        late = timer.finished.is_set()
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    why = f"took over {SECONDS} s" if late else judge(process.returncode, jsonl, text, page)
    if why is None and usage.ru_maxrss > KIB:
        why = f"took {usage.ru_maxrss} KiB"
    if why is not None:
        with open(errors, encoding="utf-8", errors="replace") as err:
            why += "\n" + err.read()[-3000:]
    return why, usage.ru_maxrss


def judge(status, jsonl, text, page):
    if status not in STATUSES:
        return f"exit {status}"
    for name in (jsonl, text):
        if not os.path.exists(name):
            return None if status == 3 else f"exit {status} and no {os.path.basename(name)}"
        with open(name, "rb") as f:
            try:
                words = f.read().decode("utf-8")
            except UnicodeDecodeError as error:
                return f"{os.path.basename(name)} is not UTF-8: {error}"
        m = UPSETTING.search(words)
        if m is not None:
            return f"{os.path.basename(name)} has {m[0]!r} after {words[:m.start()][-60:]!r}"
        if name == jsonl:
            for line in words.splitlines():
                try:
                    json.loads(line)
                except ValueError as error:
                    return f"no JSON: {error}: {line[:200]}"
    if status == 3 and os.path.getsize(page) == 0:
        return None
    with open(page, "rb") as f:
        try:
            wrong = html_page.check_markup(f.read().decode("utf-8"))[1]
        except UnicodeDecodeError as error:
            return f"the page is not UTF-8: {error}"
    return f"the page: {wrong[0]}" if wrong else None


def captures(folder):
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.endswith((".txt", ".md", ".tsv", "MANIFEST")):
                yield os.path.join(where, name)


def mutate(data, dice):
    """One broken copy: some cut, some with a few wild bits, some with lengths gone mad."""
    data = bytearray(data)
    kind = dice.randrange(5)
    if kind == 0:
        del data[dice.randrange(len(data)):]
    elif kind == 1:
        for _ in range(dice.choice((1, 4, 64, 1024))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    elif kind == 2:
        at = dice.randrange(max(len(data) - 4, 1))
        data[at:at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff",
                                       b"\xff\xff\xff\x7f", b"\x01\0\0\0"))
    elif kind == 3:
        a, b = sorted(dice.randrange(len(data)) for _ in range(2))
        del data[a:b]
    else:
        a, b = sorted(dice.randrange(len(data)) for _ in range(2))
        data[a:a] = data[a:b] * dice.choice((1, 3))
    return bytes(data)


def mutants(folder, into):
    # String seeds are the same everywhere and at every run.
    dice = random.Random("wmscope")
    paths = [p for p in captures(folder) if p.endswith((".pcap", ".pcapng"))]
    for number in range(MUTANTS):
        path = dice.choice(paths)
        with open(path, "rb") as f:
            data = mutate(f.read(), dice)
        broken = os.path.join(into, f"{number}-" + os.path.relpath(path, folder).replace("/", "-"))
        with open(broken, "wb") as f:
            f.write(data)
        yield broken


def main():
    args = [a for a in sys.argv[1:] if a != "--mutate"]
    wmscope, folder = args
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there")
        return 77
    n = bad = most = 0
    with tempfile.TemporaryDirectory() as room:
        for path in mutants(folder, room) if "--mutate" in sys.argv else captures(folder):
            why, memory = run(wmscope, path, room)
            n += 1
            most = max(most, memory)
            if why is not None:
                bad += 1
                print(f"{path}: {why}")
            if path.startswith(room) and why is None:
                os.remove(path)
            elif path.startswith(room):
                keep = os.path.join(tempfile.gettempdir(), "wmscope-" + os.path.basename(path))
                os.replace(path, keep)
                print(f"kept as {keep}")
    print(f"{n} captures, {bad} did harm, {most} KiB at most")
    return 1 if bad or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
