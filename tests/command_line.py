#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What scripts rely on: exit statuses and their order, signals, pipes, where reports go."""
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

import schema_check

DONE, FINDINGS, USAGE, INPUT, IO, PARTIAL = range(6)


def cases(good, bad, cut, folder):
    """Status, arguments after `wmscope`."""
    analyze = lambda *args: ("analyze", "-q", *args)
    return [
        (USAGE, ()), (DONE, ("--help",)), (DONE, ("-V",)), (DONE, ("help", "analyze")),
        (USAGE, ("help", "nosuch")), (USAGE, ("nosuch",)), (USAGE, ("--nosuch",)),
        (DONE, ("analyze", "--help")), (DONE, ("list", "-V")), (DONE, ("--man",)),
        (DONE, ("--man", "analyze")), (DONE, ("--completion",)),
        (DONE, ("list", "signatures", "-v")), (DONE, ("list", "sources")), (DONE, ("list", "sinks")),
        (DONE, ("list", "classifiers")), (DONE, ("list", "devices")), (DONE, ("list", "reports")),
        (USAGE, ("list",)), (USAGE, ("list", "nosuch")), (USAGE, ("list", "sinks", "sources")),
        (USAGE, analyze()), (USAGE, analyze("--nosuch", good)), (USAGE, analyze("--v", good)),
        (USAGE, analyze("--vantage", "x", good)), (USAGE, analyze("--no-such", "x", good)),
        (USAGE, analyze("--workers", "-1", good)), (USAGE, analyze("--workers", "1000", good)),
        # what is typed is never taken for the default in silence
        (USAGE, analyze("--workers", "0", good)), (USAGE, analyze("--text", "", good)),
        (USAGE, ("capture", "-i", "lo", "--duration", "0")), (USAGE, ("capture", "-i", "")),
        (FINDINGS, analyze("-f", "", good)),
        (DONE, ("audit", "--help")), (DONE, ("help", "audit")), (DONE, ("audit", "-V")),
        (USAGE, ("audit",)), (USAGE, ("audit", "nosuch")),
        (USAGE, analyze("-", "-")), (USAGE, analyze("--rotated", *"x" * 65537)),
        (USAGE, analyze("-f", "tcp and (", good)),
        (USAGE, analyze("--jsonl", "-", "--text", "-", good)),
        (USAGE, analyze("--text", good, good)),
        # neither is there yet, and still they are one
        (USAGE, analyze("--text", folder + "/new", "--jsonl", folder + "/./new", good)),
        (USAGE, ("capture", "-i", "lo", "-w", folder + "/new", "--jsonl", folder + "/new")),
        (USAGE, ("capture", "-i", "lo", "-w", folder + "/new", "--stats", folder + "/new")),
        (USAGE, ("capture", "-i", "lo", "-i", "nosuch")),
        (USAGE, analyze("-o", "-", good)), (USAGE, analyze("--zeek", "-", good)),
        (INPUT, analyze("--from", folder + "/missing")), (INPUT, analyze("--from", folder)),
        (FINDINGS, analyze(good)), (FINDINGS, analyze(good, "--fail-on", "confirmed")),
        (FINDINGS, analyze("--min-verdict", "confirmed", good)),
        (DONE, analyze("--fail-on", "never", good)), (DONE, analyze("-f", "udp", good)),
        (INPUT, analyze(folder + "/missing")), (INPUT, analyze(folder)), (INPUT, analyze(bad)),
        (INPUT, analyze(good, bad)), (INPUT, analyze(bad, cut, good)),
        (IO, analyze("--jsonl", folder + "/no/such", good)),
        (IO, analyze("-o", folder + "/no/such", good)),
        (IO, analyze("--text", "/dev/full", good)), (IO, analyze("--jsonl", "/dev/full", bad)),
        # through a link: a report renamed over the device would have taken its place
        (IO, analyze("--pcapng", folder + "/full", good)),
        (DONE, ("doctor",)), (USAGE, ("doctor", good)), (IO, ("doctor", "--json", "/dev/full")),
        (USAGE, ("capture",)), (USAGE, ("capture", "-i", "lo", good)),
        (USAGE, ("capture", "-i", "lo", "-C", "1")), (USAGE, ("capture", "-i", "lo", "-s", "1")),
        (USAGE, ("capture", "-i", "lo", "-w", "-")), (IO, ("capture", "-i", "no such one")),
        (PARTIAL, analyze(cut)), (PARTIAL, analyze(cut, good)),
    ]


def run(wmscope, args, **more):
    return subprocess.run([wmscope, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, **more)


def check_outputs(wmscope, good, folder):
    out = os.path.join(folder, "out")
    result = run(wmscope, ("analyze", "-q", "--show-clients", "-o", out, good))
    assert result.returncode == FINDINGS and result.stdout == b"", "-o leaves stdout alone"
    there = set(os.listdir(out))
    assert {"events.jsonl", "report.txt", "flows.csv", "findings.csv", "dns.csv", "tls.csv"} <= there, there
    assert not [name for name in there if name.endswith(".part")], there
    text = run(wmscope, ("analyze", "-q", good)).stdout
    with open(out + "/report.txt", "rb") as f:
        assert f.read() == text, "the same report on stdout and in a folder"
    run(wmscope, ("analyze", "-q", "-f", "tcp and (", "-o", out, good))
    with open(out + "/report.txt", "rb") as f:
        assert f.read() == text, "a wrong command line leaves an earlier report alone"
    with open(good, "rb") as f:
        piped = subprocess.run([wmscope, "analyze", "-"], stdin=f, stdout=subprocess.PIPE, check=False)
    assert piped.returncode == FINDINGS and b"data-after-rst" in piped.stdout, "- is stdin"
    args = ("analyze", "-q", good, good, "--jsonl", "-")
    assert run(wmscope, args).stdout.split(b"\n")[1:] == \
        run(wmscope, (*args, "--workers", "8")).stdout.split(b"\n")[1:], "workers do not matter"


def check_not_plain(wmscope, good, folder):
    """What is no plain file is written through, and still there afterwards."""
    assert os.path.islink(folder + "/full"), "a link stays one"
    read_end, write_end = os.pipe()
    process = subprocess.Popen([wmscope, "analyze", "-q", "--pcapng", f"/dev/fd/{write_end}", good],
                               pass_fds=[write_end])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as f:
        assert f.read(4) == b"\x0a\x0d\x0d\x0a", "the shell's >(command)"
        f.read()
    assert process.wait(20) == FINDINGS


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def wait_until_idle(pid):
    """It has read all that there is: it takes next to no time of the cores, however busy those are."""
    for _ in range(40):
        before = ticks(pid)
        time.sleep(0.5)
        if before != 0 and ticks(pid) - before <= 1:
            return


def start_on_pipe(wmscope, data):
    process = subprocess.Popen([wmscope, "analyze", "-", "--jsonl", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(data)
    process.stdin.flush()
    wait_until_idle(process.pid)
    return process


def check_rest_is_told(wmscope, good, data):
    """A report of the first of two files does not read as one of both."""
    process = subprocess.Popen([wmscope, "analyze", "--jsonl", "-", "-", good],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(data)
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == PARTIAL
    out, err = process.stdout.read(), process.stderr.read()
    told = b'"errors":[{"pcap_filename":"' + good.encode() + b'","reason":"' + good.encode() + \
        b': the run was interrupted"}]'
    assert told in out, out[:2000]
    assert good.encode() + b": not read" in err, err


def check_signals(wmscope, good):
    with open(good, "rb") as f:
        data = f.read()
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start_on_pipe(wmscope, data)
        process.send_signal(number)
        # stdin stays open: only the signal ends it
        assert process.wait(20) == PARTIAL, "a signal ends the input"
        out = process.stdout.read()
        assert b'"interrupted":true' in out and b'"event_type":"finding"' in out, "and reports"
    check_rest_is_told(wmscope, good, data)
    process = subprocess.Popen([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-",
                                *[good] * 300], stdout=subprocess.PIPE)
    time.sleep(2)  # it waits for room in the pipe by then
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    # where both are pending the kernel chooses which comes second
    assert process.wait(20) in (-signal.SIGINT, -signal.SIGTERM), "a second signal ends it at once"


def check_closed_pipe(wmscope, good):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen([wmscope, "analyze", "-q", good], stdout=write_end,
                               stderr=subprocess.PIPE)
    os.close(write_end)
    assert process.wait(20) == IO, "nobody reads: a failed write, not a death by SIGPIPE"


def check_link_types(wmscope, good, folder):
    """A link type that is not read (105, IEEE 802.11): nothing found is not nothing there."""
    unread = os.path.join(folder, "unread.pcap")
    with open(good, "rb") as f, open(unread, "wb") as out:
        data = f.read()
        out.write(data[:20] + (105).to_bytes(4, "little") + data[24:])
    for files, status in (([unread], INPUT), ([unread, good], INPUT), ([good], FINDINGS)):
        result = run(wmscope, ["analyze", "--jsonl", "-", *files])
        assert result.returncode == status, (files, result.returncode)
        told = b"link type 105" in result.stderr and unread.encode() in result.stderr
        assert told == (unread in files), result.stderr
        assert (b"link type that is not read" in result.stdout) == told, "a note of the run event"


def complete(wmscope, *words):
    script = (f"eval \"$('{wmscope}' --completion)\"; COMP_WORDS=(wmscope {' '.join(words)}); "
              "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _wmscope; echo \"${COMPREPLY[*]}\"")
    return subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True,
                          encoding="ascii").stdout.split()


def check_completion(wmscope):
    assert complete(wmscope, "audit", "''") == ["load", "probe", "run"]
    assert complete(wmscope, "au") == ["audit"], "once, though three commands begin so"
    assert complete(wmscope, "replay", "--engine", "f") == ["file"], "each command has its own values"
    assert complete(wmscope, "capture", "--engine", "''") == ["packet", "xdp", "dpdk"]
    assert complete(wmscope, "audit", "load", "--se") == ["--seconds"]


def check_listed(wmscope):
    """Each format has a row of its own."""
    out = run(wmscope, ("list", "reports")).stdout.decode("ascii").split("\n")
    rows = [line.split()[0] for line in out if line]
    assert len(set(rows)) == len(rows), rows
    assert {"text", "jsonl", "html", "csv", "pcapng", "zeek", "figures", "manifest"} <= set(rows), rows
    with_sqlite = b"sqlite     not built in" not in run(wmscope, ("-V",)).stdout
    assert ("sqlite" in rows) == with_sqlite, rows
    for what in ("sources", "sinks"):
        engines = run(wmscope, ("list", what)).stdout.decode("ascii")
        asked = run(wmscope, ("capture", "-i", "no such one", "--engine", "dpdk"))
        with_dpdk = b"built without DPDK" not in asked.stderr
        assert ("\ndpdk " in engines) == with_dpdk, engines


def check_file_limit(wmscope, good, folder):
    """A file that may grow no further is a failed write, as a full disk is."""
    script = f"ulimit -f 4; exec '{wmscope}' analyze -q --jsonl '{folder}/big' '{good}' '{good}' '{good}'"
    result = subprocess.run(["bash", "-c", script], stderr=subprocess.PIPE, check=False)
    assert result.returncode == IO and b"big: File too large" in result.stderr, result


def check_limits(wmscope, good):
    """What libraries would end the program for is told before, or is memory that ran out."""
    def limited(what, most, *args):
        return run(wmscope, args, preexec_fn=lambda: resource.setrlimit(what, (most, most)))

    few = limited(resource.RLIMIT_NOFILE, 8, "analyze", "-q", good)
    assert few.returncode == IO and b"only 8 files" in few.stderr, few
    if limited(resource.RLIMIT_AS, 200 << 20, "--version").returncode != 0:
        return  # sanitizers have no room at all
    for mib in range(100, 300, 20):
        done = limited(resource.RLIMIT_AS, mib << 20, "analyze", "-q", "--workers", "8", good)
        assert done.returncode in (DONE, FINDINGS, IO, PARTIAL), (mib, done)


def check_strangers(wmscope, good, folder):
    """Two captures that have no packet in common: the status comes with a word, also with -q."""
    none = os.path.join(folder, "none.pcap")
    with open(good, "rb") as f, open(none, "wb") as out:
        out.write(f.read()[:24])
    done = run(wmscope, ("compare", "-q", good, none))
    assert done.returncode == PARTIAL and b"no packet is in both captures" in done.stderr, done


def check_help(wmscope):
    """What help says of a number is what a wrong one is told, and an exit status that comes is in it."""
    for n in "0", "65":
        assert b"--workers: a number from 1 to 64" in run(wmscope, ("analyze", "--workers", n, "x")).stderr
    said = run(wmscope, ("diff", "--help")).stdout
    assert b"\n  1  something is new, gone or changed\n" in said and b"of 2, 4, 3, 5 and 1" in said, said
    assert b"\n  1  " not in run(wmscope, ("replay", "--help")).stdout


def main():
    wmscope = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        good, bad, cut = (os.path.join(folder, n) for n in ("good.pcap", "bad.pcap", "cut.pcap"))
        schema_check.capture(good, b"blocked.example")
        with open(good, "rb") as f, open(cut, "wb") as out:
            out.write(f.read()[:200])
        with open(bad, "wb") as out:
            out.write(b"this is no capture\n")
        os.symlink("/dev/full", os.path.join(folder, "full"))
        wrong = 0
        for status, args in cases(good, bad, cut, folder):
            result = run(wmscope, args)
            if result.returncode != status:
                print(f"{' '.join(args)}: exit {result.returncode}, not {status}", result.stderr)
                wrong += 1
            if status not in (DONE, FINDINGS):
                assert result.stderr != b"" or status == PARTIAL, f"{args}: nothing on stderr"
        check_link_types(wmscope, good, folder)
        check_outputs(wmscope, good, folder)
        check_not_plain(wmscope, good, folder)
        check_signals(wmscope, good)
        check_closed_pipe(wmscope, good)
        check_file_limit(wmscope, good, folder)
        check_limits(wmscope, good)
        check_strangers(wmscope, good, folder)
        check_help(wmscope)
        check_completion(wmscope)
        check_listed(wmscope)
        return 1 if wrong else 0


sys.exit(main())
