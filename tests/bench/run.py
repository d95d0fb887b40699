#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""wmscope beside others, on the same capture, in the same run.

  peers     a mixed capture: wmscope in several ways, ndpiReader, tshark, tcpdump, and bare reading
  scaling   cost a packet from 10^4 to 10^7 packets, and a flow from 10^3 to 10^6 flows
  memory    a million TCP connections at once
  findings  the memory of a million findings, each of a connection of its own
  reports   what writing a folder of all reports costs beside the analysis
  startup   a capture of one connection: all of it is start-up
  lists     start-up with block-page lists, compiled rules cached or not, and their cost a packet

Programs take turns, round by round, so that noise meets all of them alike; a figure is the median
of the rounds, a ratio the median of each round's ratios. Goals are printed beside the ratios and
never decide the exit status: a busy machine is not a fault of the program.
"""
import argparse
import glob
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# ndpiReader gives up on a flow after 80 packets of TCP and 24 of UDP, and so does wmscope; neither
# looks into GTP (ndpiReader's -t). It reads no risk or address lists. Both print a summary only.
NDPI_READER = ['ndpiReader', '-q', '-i']
# -Z: as root it would give /dev/null to the user tcpdump.
TCPDUMP = ['tcpdump', '-Z', 'root', '-w', '/dev/null', '-r']
# So that as many flows are touched as in all captures of pcaps/ and of the corpora together.
TOUCHED_TIMES = 8
HASH = 'hash of the input alone'
TSHARK = ['tshark', '-q', '-z', 'conv,tcp', '-r']


class Failed(Exception):
    pass


def busy():
    """Seconds that all cores together were not idle, what a hypervisor took away included."""
    with open('/proc/stat', encoding='ascii') as f:
        t = [int(x) for x in f.readline().split()[1:9]]
    return (sum(t) - t[3] - t[4]) / os.sysconf('SC_CLK_TCK')


def wait_for_quiet(o):
    """Until others leave the cores alone, but not for ever: o.patience is for all runs together."""
    while o is not None and o.patience > 0:
        before = busy()
        time.sleep(0.25)
        if busy() - before < 0.05:
            return
        o.patience -= 0.25


def measure(argv, statuses=(0,), o=None):
    """Wall and CPU seconds, cores that others took, and peak memory in MiB, of one process."""
    wait_for_quiet(o)
    busy_before = busy()
    before = time.monotonic()
    null = os.open(os.devnull, os.O_RDWR)
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1),
        (os.POSIX_SPAWN_DUP2, null, 2)])
    _, status, used = os.wait4(pid, 0)
    wall = time.monotonic() - before
    os.close(null)
    if os.waitstatus_to_exitcode(status) not in statuses:
        raise Failed(f'{" ".join(argv)}: exit status {os.waitstatus_to_exitcode(status)}')
    cpu = used.ru_utime + used.ru_stime
    return {'wall': wall, 'cpu': cpu, 'rss': used.ru_maxrss / 1024,
            'others': max(0, busy() - busy_before - cpu) / wall}


def rounds(o, programs, path, n):
    """name -> list of measurements; programs: name -> (argv, statuses that are fine)."""
    out = {name: [] for name in programs}
    with open(path, 'rb') as f:  # into the page cache
        while f.read(1 << 22):
            pass
    for i in range(n):
        names = list(programs)
        for name in names[i % len(names):] + names[:i % len(names)]:
            argv, statuses = programs[name]
            out[name].append(measure(argv + [path], statuses, o))
    return out


def middle(runs, what):
    return statistics.median(r[what] for r in runs)


def ratio(ours, theirs, what='wall'):
    """How many times less ours takes."""
    return statistics.median(t[what] / o[what] for o, t in zip(ours, theirs))


def table(title, head, rows):
    cells = [head] + [[c if isinstance(c, str) else f'{c:,.2f}' if isinstance(c, float) else
                       f'{c:,}' for c in row] for row in rows]
    wide = [max(len(r[i]) for r in cells) for i in range(len(head))]
    print('\n' + title)
    for r in cells:
        print('  ' + '  '.join(c.ljust(w) if i == 0 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(r, wide))).rstrip())
    sys.stdout.flush()


def version(argv):
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [s for s in (p.stdout + p.stderr).splitlines() if s and 'dangerous' not in s]
    return lines[0].strip() if lines else None


def machine(o):
    model = [s.split(':')[1].strip() for s in open('/proc/cpuinfo') if s.startswith('model name')]
    gib = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return {'cores': os.cpu_count(), 'processor': model[0] if model else platform.machine(),
            'kernel': platform.release(), 'memory_gib': round(gib, 1), 'load': os.getloadavg(),
            'versions': {'wmscope': version([o.wmscope, '--version']),
                         'ndpiReader': version(['ndpiReader', '-h']),
                         'tshark': version(['tshark', '--version']),
                         'tcpdump': version(['tcpdump', '--version'])}}


def grow(o, name, *args):
    path = os.path.join(o.scratch, name)
    p = subprocess.run([o.grow, *args, '-o', path], capture_output=True, text=True)
    # What it cannot write or finds wrong with what it wrote is an error, not a slow run.
    if p.returncode != 0:
        raise Failed(p.stderr.strip())
    return path, json.loads(p.stdout)


def listed(o):
    """word -> captures of pcaps/ that MIX lists under it."""
    found = {'innocent': [], 'touched': []}
    with open(o.mix, encoding='utf-8') as f:
        for line in f:
            if line.strip() and not line.startswith('#'):
                word, name = line.split()
                path = os.path.join(o.pcaps, name)
                found[word].append(os.path.join(path, 'client.pcap') if os.path.isdir(path) else path)
    return found


def captures(o):
    """What MIX says, in the order of growing: the touched ones spread over the others."""
    parts = listed(o)
    corpora = []
    for folder in o.captures:
        for kind in ('pcap', 'pcapng'):
            corpora += glob.glob(os.path.join(glob.escape(folder), '**', '*.' + kind), recursive=True)
    if corpora:
        lists = [sorted(corpora), parts['innocent'], parts['touched'] * TOUCHED_TIMES]
    else:
        lists = [parts['innocent'] * 10, parts['touched']]
    spread = [((i + 0.5) / len(names), k, name) for k, names in enumerate(lists)
              for i, name in enumerate(names)]
    return [name for _, _, name in sorted(spread)]


def analyze(o, *args):
    """Findings (1) are no failure. Two reports cannot both go to /dev/null: they would overwrite
    each other anywhere else. /dev/zero takes everything, too."""
    return [o.wmscope, 'analyze', '-q', *args], (0, 1)


def wmscopes(o):
    quiet = ('--text', '/dev/null')
    return {'wmscope': analyze(o, *quiet),
            'wmscope, 2 workers': analyze(o, *quiet, '--workers', '2'),
            'wmscope, both reports': analyze(o, *quiet, '--jsonl', '/dev/zero'),
            'wmscope --no-ndpi': analyze(o, *quiet, '--no-ndpi'),
            'wmscope --no-ndpi, 2 workers': analyze(o, *quiet, '--no-ndpi', '--workers', '2')}


def peers_present(wanted):
    out = {}
    for name, argv in wanted.items():
        if shutil.which(argv[0]) is None:
            print(f'{argv[0]} is not installed: left out')
        else:
            out[name] = (argv, (0,))
    return out


def inner_seconds(argv):
    """CPU seconds that the program says it took without its start."""
    return json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)['cpu']


def peers(o):
    path, facts = grow(o, 'mix.pcap', '-p', '100000' if o.quick else '1000000',
                       '-c', str(o.concurrency), *captures(o))
    n = facts['packets']
    programs = {'read': ([o.read, 'read'], (0,)), 'decode': ([o.read, 'decode'], (0,)),
                **wmscopes(o), **peers_present({'ndpiReader -q': NDPI_READER,
                                                'tshark -z conv,tcp': TSHARK,
                                                'tcpdump -w /dev/null': TCPDUMP})}
    runs = rounds(o, programs, path, o.rounds)
    table(f'{n:,} packets, {facts["bytes"] / n:.0f} bytes each, {facts["copies"]:,} copies of '
          f'{facts["captures"]} captures',
          ['', 'Mpackets/s', 'per CPU second', 'wall s', 'min', 'max', 'CPU s', 'peak MiB',
           'others'],
          [[name, n / middle(r, 'wall') / 1e6, n / middle(r, 'cpu') / 1e6, middle(r, 'wall'),
            min(x['wall'] for x in r), max(x['wall'] for x in r), middle(r, 'cpu'),
            f'{middle(r, "rss"):.0f}', middle(r, 'others')] for name, r in runs.items()])
    print('  others: cores that other work took meanwhile; with two workers it costs most')
    goals = []
    for ours, theirs, goal in [('wmscope', 'ndpiReader -q', 1.3),
                               ('wmscope, 2 workers', 'ndpiReader -q', 2.0),
                               ('wmscope --no-ndpi', 'ndpiReader -q', None),
                               ('wmscope', 'tshark -z conv,tcp', None),
                               ('wmscope --no-ndpi', 'tshark -z conv,tcp', None),
                               ('wmscope --no-ndpi', 'tcpdump -w /dev/null', None),
                               ('wmscope, 2 workers', 'wmscope', None),
                               ('wmscope --no-ndpi, 2 workers', 'wmscope --no-ndpi', None),
                               ('wmscope --no-ndpi', 'read', None)]:
        if ours in runs and theirs in runs:
            goals.append([f'{ours} / {theirs}', ratio(runs[ours], runs[theirs]), goal])
            if goal == 1.3:  # one thread each: CPU time says the same with less noise
                goals.append([f'{ours} / {theirs}, by CPU time',
                              ratio(runs[ours], runs[theirs], 'cpu'), goal])
    rates = {'read': (15, middle([{'wall': inner_seconds([o.read, 'read', path])}
                                  for _ in range(o.rounds)], 'wall')),
             'decode': (None, middle([{'wall': inner_seconds([o.read, 'decode', path])}
                                      for _ in range(o.rounds)], 'wall')),
             'wmscope --no-ndpi': (5, middle(runs['wmscope --no-ndpi'], 'cpu'))}
    for name, (goal, seconds) in rates.items():
        goals.append([f'{name}, Mpackets/s a core', n / seconds / 1e6, goal])
    goals_table(goals)
    os.unlink(path)
    return {'capture': facts, 'runs': runs, 'ratios': goals, 'long': long_flows(o)}


def long_flows(o):
    """What a packet costs where connections are long, and none of them is odd."""
    path, facts = grow(o, 'long.pcap', '--flows', '500' if o.quick else '5000', '--exchanges',
                       '100', '--close')
    n = facts['packets']
    programs = {'read': ([o.read, 'read'], (0,)), 'decode': ([o.read, 'decode'], (0,)),
                **wmscopes(o), **peers_present({'ndpiReader -q': NDPI_READER})}
    runs = rounds(o, programs, path, o.rounds)
    table(f'{n:,} packets of {facts["flows"]:,} long connections that nothing happened to',
          ['', 'Mpackets/s', 'per CPU second', 'others'],
          [[name, n / middle(r, 'wall') / 1e6, n / middle(r, 'cpu') / 1e6, middle(r, 'others')]
           for name, r in runs.items()])
    return {'capture': facts, 'runs': runs}


def goals_table(goals):
    table('one against the other', ['', 'ratio', 'goal', ''],
          [[name, value, '' if goal is None else f'{goal:g}',
            '' if goal is None else 'met' if value >= goal else 'missed']
           for name, value, goal in goals])


def scaling_step(o, name, args, programs, count):
    path, facts = grow(o, name, *args)
    runs = rounds(o, programs, path, min(o.rounds, 3))
    os.unlink(path)
    return count(facts), {p: {w: middle(r, w) for w in ('wall', 'cpu', 'rss')}
                          for p, r in runs.items()}


def scaling_table(title, steps, unit):
    names = list(steps[0][1])
    table(title, [unit] + [f'{n} {what}' for n in names for what in ('us', 'MiB')],
          [[f'{n:,}'] + [c for p in names
                         for c in (1e6 * r[p]['cpu'] / n, f'{r[p]["rss"]:.0f}')]
           for n, r in steps])
    # Start-up is most of the smallest step: it is taken off, as a line through two points does.
    for p in names:
        costs = [(b[1][p]['cpu'] - a[1][p]['cpu']) / (b[0] - a[0]) * 1e6
                 for a, b in zip(steps, steps[1:])]
        print(f'  {p}: us more for each one more, from step to step: ' +
              ', '.join(f'{c:.2f}' for c in costs))


def scaling(o):
    all_of_them = wmscopes(o)
    ours = {p: all_of_them[p] for p in ('wmscope', 'wmscope --no-ndpi')}
    files = captures(o)
    top = 5 if o.quick else 6
    # A little-file mix stops at a million packets, for it has 400 bytes a packet; twenty-packet
    # connections that end have a hundred, and go on to ten.
    mix = [scaling_step(o, 'mix.pcap', ('-p', str(10**k), '-c', str(o.concurrency), *files), ours,
                        lambda f: f['packets']) for k in range(4, top + 1)]
    scaling_table('mixed packets', mix, 'packets')
    ended = [scaling_step(o, 'ended.pcap', ('--flows', str(10**k // 19), '--exchanges', '5',
                                            '--close'), ours, lambda f: f['packets'])
             for k in range(4, top + 2)]
    scaling_table('packets of connections with 19 of them, that end', ended, 'packets')
    alive = [scaling_step(o, 'alive.pcap', ('--flows', str(10**k)), ours, lambda f: f['flows'])
             for k in range(3, top + 1)]
    scaling_table('connections of 6 packets, all alive', alive, 'flows')
    return {'mixed': mix, 'ended': ended, 'alive': alive}


def memory(o):
    n = 10000 if o.quick else 1000000
    path, facts = grow(o, 'alive.pcap', '--flows', str(n))
    programs = {**wmscopes(o), **peers_present({'ndpiReader -q': NDPI_READER})}
    runs = rounds(o, programs, path, min(o.rounds, 3))
    table(f'{n:,} TCP connections at once, {facts["packets"]:,} packets',
          ['', 'peak MiB', 'bytes a connection', 'Mpackets/s', 'CPU s'],
          [[name, f'{middle(r, "rss"):,.0f}', f'{middle(r, "rss") * 2**20 / n:,.0f}',
            facts['packets'] / middle(r, 'wall') / 1e6, middle(r, 'cpu')]
           for name, r in runs.items()])
    gib = middle(runs['wmscope --no-ndpi'], 'rss') / 1024
    print(f'  wmscope --no-ndpi: {gib:.2f} GiB, goal 1 for a million:',
          'met' if gib * 1000000 / n <= 1 or gib <= 1 else 'missed')
    return {'capture': facts, 'runs': runs}


def folder(o):
    """analyze -o, into a folder that each run finds as the one before left it."""
    return analyze(o, '-o', os.path.join(o.scratch, 'report'))


def findings(o):
    n = 10000 if o.quick else 1000000
    path, facts = grow(o, 'reset.pcap', '--flows', str(n), '--reset')
    programs = {'text report': analyze(o, '--text', '/dev/null'), 'folder (-o)': folder(o)}
    runs = rounds(o, programs, path, 1)
    table(f'{n:,} findings, {facts["packets"]:,} packets',
          ['', 'peak MiB', 'bytes a finding', 'CPU s'],
          [[name, f'{middle(r, "rss"):,.0f}', f'{middle(r, "rss") * 2**20 / n:,.0f}',
            middle(r, 'cpu')] for name, r in runs.items()])
    for name, r in runs.items():
        gib = middle(r, 'rss') / 1024
        print(f'  {name}: {gib:.2f} GiB, goal 1 for a million:',
              'not asked' if o.quick else 'met' if gib <= 1 else 'missed')
    return {'capture': facts, 'runs': runs}


def reports(o):
    path, facts = grow(o, 'mix.pcap', '-p', '100000' if o.quick else '1000000',
                       '-c', str(o.concurrency), *captures(o))
    programs = {'text report': analyze(o, '--text', '/dev/null'), 'folder (-o)': folder(o),
                **peers_present({HASH: ['openssl', 'dgst', '-sha256']})}
    runs = rounds(o, programs, path, o.rounds)
    written = sum(os.path.getsize(os.path.join(where, name)) for where, _, names in
                  os.walk(os.path.join(o.scratch, 'report')) for name in names)
    table(f'{facts["packets"]:,} packets, {facts["bytes"]:,} bytes of them, {written:,} bytes written',
          ['', 'wall s', 'min', 'CPU s', 'min', 'peak MiB', 'others'],
          [[name, middle(r, 'wall'), min(x['wall'] for x in r), middle(r, 'cpu'),
            min(x['cpu'] for x in r), f'{middle(r, "rss"):.0f}', middle(r, 'others')]
           for name, r in runs.items()])
    for what in ('wall', 'cpu'):
        more = 100 * (ratio(runs['text report'], runs['folder (-o)'], what) - 1)
        print(f'  {what}: {more:+.0f} % for the folder, goal 20:', 'met' if more < 20 else 'missed')
    if HASH in runs:
        # A thread of its own has worked it out before the analysis ends: it costs CPU, not wall time.
        hashing = 100 * ratio(runs['text report'], runs[HASH], 'cpu')
        print(f'  {hashing:.0f} of them, of CPU, are the hash of the input, in the manifest of every report')
    return {'capture': facts, 'written': written, 'runs': runs}


def startup(o):
    path, facts = grow(o, 'one.pcap', '--flows', '1', '--close')
    programs = {'nothing (true)': (['true'], (0,)), **wmscopes(o),
                **peers_present({'ndpiReader -q': NDPI_READER, 'tshark -z conv,tcp': TSHARK,
                                 'tcpdump -w /dev/null': TCPDUMP})}
    runs = rounds(o, programs, path, 3 if o.quick else 21)
    table(f'one connection of {facts["packets"]} packets: start, analysis, report, end',
          ['', 'ms', 'min', 'CPU ms', 'peak MiB'],
          [[name, 1e3 * middle(r, 'wall'), 1e3 * min(x['wall'] for x in r), 1e3 * middle(r, 'cpu'),
            f'{middle(r, "rss"):.0f}'] for name, r in runs.items()])
    ms = 1e3 * middle(runs['wmscope'], 'wall')
    print(f'  wmscope, all of it: {ms:.1f} ms; goal for the part up to the first packet, 30:',
          'met' if ms < 30 else 'perhaps missed')
    return {'capture': facts, 'runs': runs}


def lists_home(o):
    """The published lists where they are beside the checkout, else as many made-up rules."""
    home = os.path.join(o.scratch, 'home')
    env = {'XDG_DATA_HOME': home + '/data', 'XDG_CACHE_HOME': home + '/cache'}
    os.environ.update(env)
    files = [os.path.join(o.lists, n) for n in sorted(os.listdir(o.lists))
             if n.endswith(('.csv', '.json'))] if os.path.isdir(o.lists) else []
    if not files:
        files = [os.path.join(o.scratch, 'made.rules')]
        with open(files[0], 'w', encoding='ascii') as f:
            for i in range(3000):
                text = f'this page {i} is closed by order number {i * 7919}'
                f.write(f'made-{i} isp body contains "{text}"\n')
    for path in files:
        subprocess.run([o.wmscope, 'lists', 'import', path], check=True, stdout=subprocess.DEVNULL)
    return home, [os.path.basename(f) for f in files]


def lists(o):
    home, names = lists_home(o)
    page = os.path.join(o.pcaps, 'page-onpath', 'client.pcap')
    quiet, cold = ('--text', '/dev/null'), ['sh', '-c', 'rm -rf "$0" && exec "$@"', home + '/cache']
    warm, ok = analyze(o, *quiet)
    programs = {'no lists': analyze(o, *quiet, '--no-lists'), 'lists, compiled before': (warm, ok),
                'lists, compiled now': (cold + warm, ok)}
    # Each finds the cache as the one before left it, so the cold one comes last.
    runs = {name: [measure(argv + [page], ok, o) for _ in range(o.rounds + 2)][2:]
            for name, (argv, ok) in programs.items()}
    table(f'start to end with a page to search; lists: {", ".join(names)}',
          ['', 'ms', 'min', 'CPU ms', 'peak MiB'],
          [[name, 1e3 * middle(r, 'wall'), 1e3 * min(x['wall'] for x in r), 1e3 * middle(r, 'cpu'),
            f'{middle(r, "rss"):.0f}'] for name, r in runs.items()])
    for name, goal in (('lists, compiled before', 50), ('lists, compiled now', 3000)):
        ms = 1e3 * middle(runs[name], 'cpu')
        print(f'  {name}: {ms:.1f} ms of CPU in all, goal {goal} up to the first packet:',
              'met' if ms < goal else 'perhaps missed')
    path, facts = grow(o, 'mix.pcap', '-p', '100000' if o.quick else '1000000',
                       '-c', str(o.concurrency), *captures(o))
    programs = {'no lists': analyze(o, *quiet, '--no-lists'), 'lists': analyze(o, *quiet),
                'no lists, --no-ndpi': analyze(o, *quiet, '--no-lists', '--no-ndpi'),
                'lists, --no-ndpi': analyze(o, *quiet, '--no-ndpi')}
    long = rounds(o, programs, path, o.rounds)
    n = facts['packets']
    table(f'{n:,} mixed packets', ['', 'Mpackets/s', 'per CPU second'],
          [[name, n / middle(r, 'wall') / 1e6, n / middle(r, 'cpu') / 1e6]
           for name, r in long.items()])
    goals_table([['lists / no lists, by CPU time', ratio(long['lists'], long['no lists'], 'cpu'), 0.8],
                 ['lists / no lists, --no-ndpi, by CPU time',
                  ratio(long['lists, --no-ndpi'], long['no lists, --no-ndpi'], 'cpu'), 0.8]])
    os.unlink(path)
    shutil.rmtree(home)
    return {'capture': facts, 'lists': names, 'start': runs, 'runs': long}


def options():
    here = os.path.dirname(os.path.abspath(__file__))
    more = os.path.join(here, '..', '..', '..', 'shared', 'corpora', 'benign')
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('what', nargs='+', choices=['peers', 'scaling', 'memory', 'findings', 'reports',
                                         'startup', 'lists'])
    p.add_argument('--wmscope', required=True)
    p.add_argument('--grow', required=True)
    p.add_argument('--read', required=True)
    p.add_argument('--pcaps', default=os.path.join(here, '..', '..', 'pcaps'))
    p.add_argument('--mix', default=os.path.join(here, 'MIX'), help='what the mixed capture is made of')
    p.add_argument('--captures', action='append', help='more folders of captures to grow from')
    p.add_argument('--concurrency', type=int, default=256, help='copies at a time')
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--patience', type=float, default=60,
                   help='seconds, in all, to wait for other work to leave the cores')
    p.add_argument('--lists', default=os.path.join(here, '..', '..', '..', 'shared', 'corpora',
                                                   'lists'), help='folder of lists to import')
    p.add_argument('--scratch',
                   help='folder for captures and reports, up to 12 GB (default: a temporary one)')
    p.add_argument('--json', help='write everything measured here')
    p.add_argument('--quick', action='store_true', help='small captures: does it work at all?')
    o = p.parse_args()
    if o.captures is None:
        o.captures = [more] if os.path.isdir(more) else []
    if o.quick or os.environ.get('WMSCOPE_BENCH_QUICK'):
        o.quick, o.rounds = True, min(o.rounds, 2)
    return o


def main():
    o = options()
    facts = machine(o)
    print(f'{facts["cores"]} x {facts["processor"]}, {facts["memory_gib"]} GiB, Linux '
          f'{facts["kernel"]}, load {facts["load"][0]:.2f}')
    print(', '.join(f'{k}: {v}' for k, v in facts['versions'].items() if v))
    result = {'machine': facts, 'rounds': o.rounds, 'quick': o.quick}
    with tempfile.TemporaryDirectory(prefix='wmscope-bench-', dir=o.scratch) as scratch:
        o.scratch = scratch
        # What a fork leaves in a child's peak: no figure can be below it.
        facts['rss_floor'] = measure(['true'])['rss']
        try:
            for what in o.what:
                result[what] = globals()[what](o)
                for name in os.listdir(scratch):
                    path = os.path.join(scratch, name)
                    (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        except Failed as e:
            print(f'error: {e}', file=sys.stderr)
            return 1
    facts['load_after'] = os.getloadavg()
    print(f'\nload {facts["load"][0]:.2f} before, {facts["load_after"][0]:.2f} after; peaks are '
          f'{facts["rss_floor"]:.0f} MiB at least')
    if o.json:
        with open(o.json, 'w', encoding='utf-8') as f:
            json.dump(result, f, indent=1)
    return 0


if __name__ == '__main__':
    sys.exit(main())
