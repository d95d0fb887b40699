#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wmscope lists and what analyze says of them: lists.py WMSCOPE CAPTURE [FOLDER OF PUBLISHED LISTS]

With a folder the published lists are imported too and their rows counted; without one, or where it is
absent, made-up lists only. 77: the folder is not there.
"""
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile

import frames

RAW = 101
DONE, USAGE, INPUT, IO = 0, 2, 3, 4

CSV = ('name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,'
       'expected_countries,source,exp_url,notes\n'
       'made.nat,nat,,body,contains,"closed by ""order""",9,PK,made up,,\n'
       'made.where,nat,,ear,contains,x,9,PK,made up,,\n'
       'made.header,isp,,header.location,prefix,http://block.example/,9,PK,made up,,\n')
JSON = '{"fingerprint":"a_prod_made","pattern":"Server: Box\\\\.1"}\n' \
       '{"fingerprint":"x_made","pattern":"only <b>maintenance</b>"}\n' \
       '{"fingerprint":"f_gen_look","pattern":"a(?=b)"}\n'
RULES = '# mine\nmine isp body contains "closed for you" opt-in\n'
# Answers of filters, and the host that one of them redirects to.
DNS_RULES = ('four nat dns full "1.2.3.4"\nsix nat dns full "2a00:db9::5"\n'
             'name nat dns full "page.filter.example"\nown nat header:location prefix "http://own.filter.example/"\n')
A, CNAME, AAAA = 1, 5, 28
BAD_RULES = 'mine isp body contains "x"\n\nwrong king body contains "x"\nbad isp body regexp /(/\n'

# As published on 2024-10-20 and 2022-06-22.
PUBLISHED = {'fingerprints_http.csv': ('ooni', 1729), 'fingerprints_dns.csv': ('ooni', 226),
             'blockpage_signatures.json': ('censored-planet', 643),
             'false_positive_signatures.json': ('censored-planet', 463)}


class Home:
    """wmscope with a home of its own."""

    def __init__(self, wmscope, folder):
        self.wmscope, self.folder = wmscope, folder
        self.env = {**os.environ, 'XDG_DATA_HOME': folder + '/data',
                    'XDG_CACHE_HOME': folder + '/cache'}

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def run(self, status, *args, stdin=b''):
        p = subprocess.run([self.wmscope, *args], env=self.env, capture_output=True, check=False,
                           input=stdin)
        out, err = p.stdout.decode(), p.stderr.decode()
        assert p.returncode == status, f'{args}: status {p.returncode}, not {status}\n{out}{err}'
        return out, err

    def lists_of_run(self, capture, *more):
        out, _ = self.run(DONE, 'analyze', '-q', '--fail-on', 'never', '--jsonl', '-', *more, capture)
        return {x['name']: x for x in json.loads(out.split('\n')[0])['run']['lists']}


def pages(home, matcher):
    if not matcher:
        home.run(IO, 'lists', 'test', home.file('page', 'x'))
        return
    cases = (
        ('closed by "order"', 'a block page, says made.nat'),
        ('HTTP/1.1 302 Found\r\nLocation: http://block.example/x\r\n\r\n',
         'a block page, says made.header'),
        ('HTTP/1.1 200 OK\r\nServer: Box.1\r\n\r\nclosed by "order"', 'a block page, says made.nat'),
        ('HTTP/1.1 200 OK\r\nServer: Box.1\r\n\r\nfine', 'a block page, says a_prod_made'),
        ('closed by "order", only <b>maintenance</b>', 'not a block page, says x_made'),
        ('HTTP/1.1 200 OK\r\n\r\nServer: Box11', 'no rule knows this page'), ('', 'no rule knows'),
    )
    for page, want in cases:
        out, _ = home.run(DONE, 'lists', 'test', home.file('page', page))
        assert out.split('\n')[-2].startswith(want), f'{page!r}: {out}'
        piped, _ = home.run(DONE, 'lists', 'test', '-', stdin=page.encode())
        assert piped == out, f'{page!r}: {piped} of standard input'


def wire_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'


def datagram(number, ends, ports, payload):
    """Raw IPv4 and UDP, a tenth of a second after the one before it."""
    udp = struct.pack('!HHHH', *ports, 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(udp), number, 0, 57, 17, 0)
    data = ip + b''.join(ipaddress.ip_address(a).packed for a in ends) + udp
    return 10**18 + number * 10**8, data, len(data)


def asked_and_answered(number, name, kind, data, asks=A):
    question = wire_name(name) + struct.pack('!HH', asks, 1)
    answer = b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, 60, len(data)) + data
    ends, ports = ('192.0.2.10', '9.9.9.9'), (40000 + number, 53)
    return [datagram(number, ends, ports, struct.pack('!6H', number, 0x100, 1, 0, 0, 0) + question),
            datagram(number + 1, ends[::-1], ports[::-1],
                     struct.pack('!6H', number, 0x8180, 1, 1, 0, 0) + question + answer)]


def answers(home):
    """Each kind of answer that a list can name is found in a capture, and nothing else is."""
    four, six = (ipaddress.ip_address(a).packed for a in ('1.2.3.4', '2a00:db9::5'))
    cases = (('a.site.example', A, four, A, True), ('b.site.example', AAAA, six, AAAA, True),
             ('c.site.example', CNAME, wire_name('page.filter.example'), A, True),
             ('d.site.example', A, four[:3] + b'\5', A, False), ('own.filter.example', A, four, A, False))
    path, rules = home.folder + '/answers.pcap', home.file('dns.rules', DNS_RULES)
    frames.write(path, sum((asked_and_answered(2 * i, *c[:4]) for i, c in enumerate(cases, 1)), []), RAW)
    out, _ = home.run(DONE, 'analyze', '-q', '--fail-on', 'never', '--jsonl', '-', '--no-lists', '--rules',
                      rules, path)
    events = [json.loads(line) for line in out.splitlines()]
    found = {e['finding']['trigger']['value'] for e in events if e['event_type'] == 'finding'
             and e['finding']['id'] == 'dns-known-address'}
    assert found == {c[0] for c in cases if c[4]}, found


def made_up(wmscope, capture):
    with tempfile.TemporaryDirectory() as folder:
        home = Home(wmscope, folder)
        version, _ = home.run(DONE, '--version')
        matcher = 'hyperscan  not built in' not in version
        assert list(home.lists_of_run(capture)) == ['builtin']
        out, err = home.run(DONE, 'lists', 'import', home.file('made.csv', CSV))
        assert 'line 3: made.where: unknown location_found' in err, err
        assert '3 rows, 2 can be used, 1 cannot' in out, out
        out, err = home.run(DONE, 'lists', 'import', home.file('-odd name;.json', JSON))
        if matcher:
            assert 'line 3: f_gen_look' in err and '3 rows, 2 can be used' in out, err
        _, err = home.run(INPUT, 'lists', 'import', home.file('bad.rules', BAD_RULES))
        assert 'line 3: wrong: unknown scope' in err and 'not imported' in err, err
        assert not matcher or 'line 4: bad:' in err, err
        home.run(INPUT, 'lists', 'import', home.file('not-a.csv', 'name,scope,pattern\n'))
        home.run(INPUT, 'lists', 'import', home.file('empty', ''))
        home.run(INPUT, 'lists', 'import', folder + '/nosuch')
        home.run(INPUT, 'lists', 'import', folder)
        for usage in ((), ('import',), ('import', 'a', 'b'), ('list', 'x'), ('forget', 'x')):
            home.run(USAGE, 'lists', *usage)
        kept = sorted(os.listdir(folder + '/data/wmscope/lists'))
        assert kept == ['-odd_name_.json', '-odd_name_.json.note', 'made.csv', 'made.csv.note'], kept
        out, err = home.run(DONE, 'lists', 'list', '-v')
        assert 'made.csv' in out and 'builtin' in out and 'line 3: made.where' in err, out + err
        pages(home, matcher)
        answers(home)

        lists = home.lists_of_run(capture)
        assert set(lists) == {'builtin', 'made.csv', '-odd_name_.json'}
        one = lists['made.csv']
        assert (one['format'], one['rows'], one['unused']) == ('ooni', 3, 1), one
        assert one['imported'].startswith('20') and len(one['sha256']) == 64, one
        assert list(home.lists_of_run(capture, '--no-lists')) == ['builtin']
        home.run(USAGE, 'analyze', '--no-lists', '--lists', folder, capture)
        rules = home.file('mine.rules', RULES)
        assert set(home.lists_of_run(capture, '--no-lists', '--rules', rules, '--rules', rules)) == \
            {'builtin', 'mine.rules'}
        assert list(home.lists_of_run(capture, '--lists', folder + '/nosuch')) == ['builtin']
        _, err = home.run(INPUT, 'analyze', '--rules', folder + '/bad.rules', capture)
        assert 'line 3: wrong: unknown scope' in err, err
        home.run(INPUT, 'analyze', '--rules', folder + '/nosuch', capture)
        if matcher:
            assert lists['-odd_name_.json']['unused'] == 1
            bad = home.file('look.rules', 'good isp body contains "x"\nbad isp body regexp /a(?=b)/\n')
            _, err = home.run(INPUT, 'analyze', '--rules', bad, capture)
            assert 'look.rules: line 2: bad: ' in err, err
        # Somebody else's file, or one that is no list any more, is told and left out.
        home.file('data/wmscope/lists/made.csv', 'name,scope,\n')
        assert '-odd_name_.json' in home.lists_of_run(capture)
        return matcher


def published(wmscope, folder, matcher):
    with tempfile.TemporaryDirectory() as own:
        home = Home(wmscope, own)
        for name, (kind, rows) in PUBLISHED.items():
            out, err = home.run(DONE, 'lists', 'import', os.path.join(folder, name))
            assert f'{kind}, {rows} rows, {rows} can be used, 0 cannot' in out and not err, out + err
        if not matcher:
            return
        known = 0
        pages_folder = os.path.join(folder, 'citizenlab-pages')
        names = sorted(os.listdir(pages_folder))
        for name in names:
            out, _ = home.run(DONE, 'lists', 'test', os.path.join(pages_folder, name))
            known += 'a block page, says' in out and 'not a block page' not in out
        print(f'{known} of {len(names)} collected pages are named by a rule')
        # They were collected before the lists and are no part of them.
        assert known >= 0.75 * len(names)


def main():
    wmscope, capture = sys.argv[1:3]
    if len(sys.argv) > 3 and not os.path.isdir(sys.argv[3]):
        print(f'{sys.argv[3]} is not there')
        return 77
    matcher = made_up(wmscope, capture)
    if len(sys.argv) > 3:
        published(wmscope, sys.argv[3], matcher)
    return 0


if __name__ == '__main__':
    sys.exit(main())
