#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A run that was killed and resumed leaves what an uninterrupted one does: resume.py WMSCOPE PCAPS

The kill comes at a known place (the next input is a pipe that nobody writes to), at places that chance picks,
and as SIGINT. What another command line left is never taken.
"""
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from merge import captures_in, same_capture, same_report

COUNT = 18
STOP = 11 # inputs that are done when the deterministic kill comes
DONE, FINDINGS, USAGE, INPUT, PARTIAL = 0, 1, 2, 3, 5
WAIT = 60


def pieces(out):
    try:
        return sorted(n for n in os.listdir(os.path.join(out, "unfinished"))
                      if os.path.exists(os.path.join(out, "unfinished", n, "testimony.bin")))
    except FileNotFoundError:
        return []


class Bench:
    def __init__(self, wmscope, folder, how, files):
        self.wmscope, self.folder, self.how, self.files = wmscope, folder, how, files

    def at(self, name):
        return os.path.join(self.folder, name)

    def line(self, name, *options, files=None):
        return [self.wmscope, "analyze", "-q", "-o", self.at(name), *self.how, *options, *(files or self.files)]

    def run(self, name, *options, files=None):
        return subprocess.run(self.line(name, *options, files=files), capture_output=True, timeout=WAIT * 5,
                              check=False)

    def start(self, name, *options):
        return subprocess.Popen(self.line(name, "--resume", *options), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def reached(self, pipe, process):
        """The pipe, once somebody wants to read it."""
        end = time.monotonic() + WAIT
        while True:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as e:
                assert e.errno == errno.ENXIO and process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, "nobody reads"
            time.sleep(0.002)

    def blocked(self, name, sig, *options):
        """A run that is killed at the input STOP, where all before are done."""
        file = self.files[STOP]
        os.rename(file, file + ".away")
        os.mkfifo(file)
        process = self.start(name, *options)
        pipe = self.reached(file, process)
        assert len(pieces(self.at(name))) == STOP, pieces(self.at(name))
        process.send_signal(sig)
        try: # A signal before the program reads does not end the reading: the pipe's end does.
            process.communicate(timeout=2)
            os.close(pipe)
        except subprocess.TimeoutExpired:
            os.close(pipe)
            process.communicate(timeout=WAIT)
        os.remove(file)
        os.rename(file + ".away", file)
        return process.returncode


def same(a, b):
    same_report(a, b)
    assert not os.path.exists(os.path.join(b, "unfinished")), "what is finished is put away"


def check_killed(bench, whole):
    status = bench.blocked("killed", signal.SIGKILL)
    assert status == -signal.SIGKILL and not os.path.exists(bench.at("killed/report.json")), status
    assert len(pieces(bench.at("killed"))) == STOP
    # A folder with work in it is not run over by somebody who forgets the option.
    done = bench.run("killed")
    assert done.returncode == USAGE and b"--resume" in done.stderr, done
    assert len(pieces(bench.at("killed"))) == STOP
    # What is there is taken, not made again: without reading it a capture would give nothing.
    kept = {n: os.stat(os.path.join(bench.at("killed"), "unfinished", n, "testimony.bin")).st_mtime_ns
            for n in pieces(bench.at("killed"))}
    assert bench.blocked("killed", signal.SIGKILL) == -signal.SIGKILL
    assert kept == {n: os.stat(os.path.join(bench.at("killed"), "unfinished", n, "testimony.bin")).st_mtime_ns
                    for n in kept}
    shutil.copytree(bench.at("killed"), bench.at("spare"))
    # Killed while a piece was written: its folder is there, and its file has not got its name yet.
    with open(bench.files[STOP], "rb") as f:
        half = f"{STOP:06}-{hashlib.sha256(f.read()).hexdigest()}"
    os.mkdir(os.path.join(bench.at("killed"), "unfinished", half))
    with open(os.path.join(bench.at("killed"), "unfinished", half, "testimony.bin.part"), "wb") as f:
        f.write(b"wmscope testimony\n")
    done = bench.run("killed", "--resume")
    assert done.returncode == whole.returncode, (done, whole)
    same(bench.at("whole"), bench.at("killed"))
    done = bench.run("killed", "--resume")
    assert done.returncode == USAGE and b"finished" in done.stderr, done


def check_chance(bench):
    """Wherever the kills come."""
    random.seed(7)
    kills = 0
    for _ in range(12):
        process = bench.start("chance")
        try:
            process.communicate(timeout=random.random() * 0.1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        if process.returncode >= 0:
            break
    else:
        bench.run("chance", "--resume")
    assert kills, "every run was too quick: the test shows nothing"
    same(bench.at("whole"), bench.at("chance"))


def check_interrupted(bench):
    """The report of what was read is written, and the run can go on."""
    status = bench.blocked("interrupted", signal.SIGINT)
    assert status in (PARTIAL, INPUT), status
    assert os.path.exists(bench.at("interrupted/report.json"))
    assert len(pieces(bench.at("interrupted"))) == STOP
    bench.run("interrupted", "--resume")
    same(bench.at("whole"), bench.at("interrupted"))


def check_refused(bench):
    """Another run's folder: refused with the reason, and nothing in it is changed."""
    other = bench.at("other.pcap")
    shutil.copyfile(bench.files[0], other)
    swapped = [bench.files[1], bench.files[0], *bench.files[2:]]
    before = pieces(bench.at("spare"))

    def refused(what, *options, files=None):
        done = bench.run("spare", "--resume", *options, files=files)
        assert done.returncode == USAGE and what in done.stderr, (options, done)
        assert pieces(bench.at("spare")) == before and not os.path.exists(bench.at("spare/report.json"))

    refused(b"--vantage=server", "--vantage", "server")
    refused(b"--no-ndpi", "--no-ndpi")
    refused(b"another capture", files=swapped)
    refused(b"another name", files=[other, *bench.files[1:]])
    refused(b"more captures", files=bench.files[:STOP - 1])
    if "--key" in bench.how:
        with open(os.open(bench.at("key-2"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(os.urandom(32))
        refused(b"another key", "--key", bench.at("key-2"))
    # One byte of what is kept changed: no report is made from it.
    path = os.path.join(bench.at("spare"), "unfinished", before[3], "testimony.bin")
    with open(path, "r+b") as f:
        f.seek(-20, os.SEEK_END)
        byte = f.read(1)[0]
        f.seek(-20, os.SEEK_END)
        f.write(bytes((byte ^ 1,)))
    done = bench.run("spare", "--resume")
    assert done.returncode == INPUT and not os.path.exists(bench.at("spare/report.json")), done


def check_usage(bench):
    bare = [bench.wmscope, "analyze", "-q", "--resume"]
    for args in (bench.files[:1], ["-o", bench.at("bare"), bench.files[0]],
                 ["-o", bench.at("bare"), "--show-clients", "-"],
                 ["-o", bench.at("bare"), "--show-clients", "--rotated", *bench.files[:2]]):
        done = subprocess.run(bare + args, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == USAGE and not os.path.exists(bench.at("bare")), (args, done)


def check_unreadable(bench):
    """A file that is no capture, and one that is none of the files: tried again, and told as ever."""
    files = [bench.files[0], os.path.abspath(__file__), bench.at("absent.pcap"), *bench.files[1:3]]
    control = ("--control", bench.files[4])
    whole = bench.run("odd-whole", *control, files=files)
    done = bench.run("odd", *control, "--resume", files=files)
    assert whole.returncode == done.returncode == INPUT, (whole, done)
    same(bench.at("odd-whole"), bench.at("odd"))


def main():
    wmscope, pcaps = map(os.path.abspath, sys.argv[1:])
    paths = same_capture(captures_in(pcaps))
    paths = paths[::len(paths) // COUNT][:COUNT]
    for sealed in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            key = os.path.join(folder, "key")
            with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(bytes(range(32)))
            files = [shutil.copy(p, os.path.join(folder, f"{i:02}.{p.rsplit('.', 1)[1]}"))
                     for i, p in enumerate(paths)]
            bench = Bench(wmscope, folder, ("--key", key) if sealed else ("--show-clients",), files)
            whole = bench.run("whole")
            assert whole.returncode in (DONE, FINDINGS, PARTIAL), whole
            check_killed(bench, whole)
            check_refused(bench)
            if sealed:
                check_chance(bench)
                check_interrupted(bench)
                check_usage(bench)
                check_unreadable(bench)
    print(f"{len(files)} captures, killed behind {STOP}, and the same report")


if __name__ == "__main__":
    main()
