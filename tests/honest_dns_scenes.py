# SPDX-License-Identifier: BSD-3-Clause
"""What clients and resolvers of honest_dns.py do: each scene asks, and returns the most that may be said of it."""
from honest_dns_parts import (A, AA, AAAA, AD, CNAME, HTTPS, MX, NXDOMAIN, PTR, REFUSED, SERVFAIL, TC, Answer, Resolver,
                              name_of, private, v4)


def calm(client, resolver):
    """Nothing where every packet came once; a doubled query or a missing one may look like a race.

    Another site of the same address is what catalogue section 9 calls DNS-EARLY: by itself an anomaly.
    """
    return "none" if client.clean() and len(resolver.sites) == 1 else "anomaly"


def own_way(resolver):
    """A bogus address, DNS-BOGON, is an anomaly; the first of another site is DNS-EARLY too, and both are likely."""
    return "anomaly" if len(resolver.sites) == 1 else "likely"


def names(rng, n):
    return [f"{rng.choice(('www', 'cdn', 'mail', 'api'))}{rng.randrange(10**5)}.shop.com" for _ in range(n)]


def plain(c, resolver, inside):
    for name in names(c.rng, c.rng.choice((1, 4, 12, 25))):
        records = [(A, v4(c.rng)) for _ in range(c.rng.randint(1, 4))]
        ttl = [c.rng.randint(20, 3600)]

        def say(records=records, ttl=ttl):
            ttl[0] = max(0, ttl[0] - 1)     # counts down, and the set is handed out in turns
            return Answer(c.rng.sample(records, len(records)), ttl=ttl[0])
        c.ask(c.rng.choice((resolver, resolver, inside)), name, A, say)
    return calm(c, resolver)


def changing_answers(c, resolver, inside):
    """A content network: other addresses with every query, behind one alias, and both address families."""
    for name in names(c.rng, c.rng.choice((1, 3, 15))):
        def say():
            return Answer([(CNAME, name_of("edge.cdn.net")), (A, v4(c.rng, "151.101")), (A, v4(c.rng, "23.50"))],
                          ttl=c.rng.randint(0, 60))
        c.ask(resolver, name, A, say)
        c.ask(resolver, name, AAAA, lambda: Answer([(AAAA, b"\x26\6\x47\0" + c.rng.randbytes(12))], ttl=30))
    return calm(c, resolver)


def several_at_once(c, resolver, inside):
    """One program asks both resolvers of its list, with one number."""
    for name in names(c.rng, 4):
        start = c.now
        for r in (resolver, inside):
            c.now = start
            c.ask(r, name, A, lambda: Answer([(A, v4(c.rng))]))
    return calm(c, resolver)


def fails_at_times(c, resolver, inside):
    for name in names(c.rng, 8):
        record = v4(c.rng)

        def say(record=record):
            if c.rng.random() < 0.3:
                return c.rng.choice((None, Answer(rcode=SERVFAIL), Answer(rcode=REFUSED, opt=False)))
            return Answer([(A, record)])
        c.ask(resolver, name, A, say)
        c.ask(resolver, name, A, say)
    return calm(c, resolver)


def truncated(c, resolver, inside):
    for name in names(c.rng, 3):
        whole = Answer([(A, v4(c.rng)) for _ in range(40)])
        part = Answer(whole.records[:c.rng.choice((0, 5))], flags=TC)
        c.ask(resolver, name, A, lambda part=part: part)
        c.over_tcp(resolver, name, A, whole)
    return calm(c, resolver)


def other_types(c, resolver, inside):
    for name in names(c.rng, 4):
        c.ask(resolver, name, MX, lambda: Answer([(MX, b"\0\x0a" + name_of("mx.shop.com"))]))
        c.ask(resolver, name, HTTPS, lambda: Answer([(HTTPS, b"\0\1\0\0\1\0\3\2h2")]))
        c.ask(resolver, name, AAAA, Answer)
        c.ask(resolver, "no" + name, A, lambda: Answer(rcode=NXDOMAIN))
        c.ask(resolver, f"{c.rng.randrange(256)}.2.0.192.in-addr.arpa", PTR, lambda n=name: Answer([(PTR, name_of(n))]))
        c.ask(resolver, f"{c.rng.randrange(256)}.2.0.192.zen.spamhaus.org", A, lambda: Answer([(A, b"\x7f\0\0\2")]))
    return calm(c, resolver)


def signed(c, resolver, inside):
    for name in names(c.rng, 5):
        record = v4(c.rng)
        flags = c.rng.choice((AD, AD, 0))
        c.ask(resolver, name, A, lambda r=record, f=flags: Answer([(A, r), (46, c.rng.randbytes(80))], flags=f))
    return calm(c, resolver)


def translated(c, resolver, inside):
    """DNS64, RFC 6147: the address of a network without IPv4."""
    for name in names(c.rng, 5):
        data = b"\0\x64\xff\x9b" + bytes(8) + v4(c.rng)
        c.ask(c.rng.choice((resolver, inside)), name, AAAA, lambda d=data: Answer([(AAAA, d)]))
    return calm(c, resolver)


def rewritten(c, resolver, inside):
    """The provider's resolver sells names that do not exist."""
    page = v4(c.rng, "92.242")
    for name in names(c.rng, 6):
        c.ask(resolver, name, A, lambda n=name: Answer([(A, page if len(n) % 2 else v4(c.rng))], at_once=len(n) % 2 == 1))
    return calm(c, resolver)


def filter_on_lan(c, resolver, inside):
    """A household's own: 0.0.0.0, its own page, or a denial, at once and with authority."""
    way = c.rng.choice(([(A, bytes(4))], [(A, b"\xc0\xa8\1\1")], []))
    for name in names(c.rng, 12):
        blocked = c.rng.random() < 0.4
        answer = Answer(way, rcode=0 if way else NXDOMAIN, flags=AA, ttl=2, at_once=True, opt=c.rng.random() < 0.5)
        c.ask(inside, name, A, lambda a=answer, b=blocked: a if b else Answer([(A, v4(c.rng))]))
    return "anomaly"


def filter_chosen(c, resolver, inside):
    """A public resolver that users chose for its filter, or the provider's with a policy zone."""
    way = c.rng.choice(([(A, bytes(4))], [(A, b"\x7f\0\0\1")], [(A, v4(c.rng))], [(A, private(c.rng))], []))
    flags, opt, refuses = c.rng.choice((0, AA)), c.rng.random() < 0.7, c.rng.random() < 0.3
    for name in names(c.rng, c.rng.choice((2, 12))):
        blocked = c.rng.random() < 0.4
        answer = Answer(way, rcode=0 if way else REFUSED if refuses else NXDOMAIN, flags=flags, ttl=60, at_once=True, opt=opt)
        c.ask(resolver, name, A, lambda a=answer, b=blocked: a if b else Answer([(A, v4(c.rng))]))
    return own_way(resolver)


def split_horizon(c, resolver, inside):
    """A company's resolver knows hosts that others do not, on its public address as well."""
    own = Resolver(c.rng, f"198.18.{c.rng.randrange(250)}.53", c.rng.choice((1, 2)))
    for i, name in enumerate(names(c.rng, 12)):
        internal = i % 4 == 0
        answer = Answer([(A, private(c.rng))], flags=AA, at_once=True) if internal else Answer([(A, v4(c.rng))])
        c.ask(c.rng.choice((own, own, inside)), ("intra." if internal else "") + name, A, lambda a=answer: a)
    return own_way(own)


def neighbour(c, resolver, inside):
    """A home's router at an address of the prefix, which knows its own names and makes those answers itself."""
    c.hops, own = 0, Resolver(c.rng, c.address.rpartition(".")[0] + ".1", 1)
    own.sites[0].hops = own.ecmp = 0
    for i, name in enumerate(names(c.rng, c.rng.choice((3, 25)))):
        made = Answer([(A, private(c.rng))], flags=c.rng.choice((0, AA, AA)), opt=c.rng.random() < 0.5, at_once=True)
        c.ask(own, name, A, lambda a=made if i % 4 == 0 else Answer([(A, v4(c.rng))]): a)
    return "none" if c.clean() and c.place == 0 else "anomaly"


def portal(c, resolver, inside):
    """A hotspot answers for all names until somebody logs in, and then lets queries through."""
    own = Resolver(c.rng, c.rng.choice((f"9.12.{c.rng.randrange(250)}.9", "192.168.1.1")), 1)
    for name in names(c.rng, c.rng.choice((0, 3, 20))):
        c.ask(own, name, A, lambda: Answer([(A, v4(c.rng))]))
    c.now += 600
    box = Resolver(c.rng, own.address, 1)
    box.sites[0].hops, box.sites[0].delay = 1, 0.001
    target, asked = private(c.rng), names(c.rng, c.rng.choice((0, 1, 2, 6)))
    for name in [c.rng.choice(("captive.apple.com", "connectivitycheck.gstatic.com"))] + asked:
        c.ask(box, name, A, lambda: Answer([(A, target)], ttl=0, flags=c.rng.choice((0, AA)), opt=False))
    c.now += 60
    for name in asked:
        if c.rng.random() < 0.2:
            c.over_tcp(own, name, A, Answer([(A, v4(c.rng))]))
        else:
            c.ask(own, name, A, lambda: Answer([(A, v4(c.rng))]))
    return "anomaly" if c.clean() else "likely"     # without the probe's answer it is a forger's


def moved_between_networks(c, resolver, inside):
    """A telephone asks from here and there: another distance to the same resolver, after a pause."""
    for name in names(c.rng, 14):
        if c.rng.random() < 0.15:
            c.now += 20
            c.hops = c.rng.randint(0, 12)
            resolver.route = c.rng.choice(resolver.sites)
        c.ask(resolver, name, A, lambda: Answer([(A, v4(c.rng))]))
    return calm(c, resolver)


def late(c, resolver, inside):
    """An answer of the first try comes after that of the second."""
    c.timeout = 0.2
    slow = Resolver(c.rng, f"9.10.{c.rng.randrange(250)}.9", 1)
    slow.sites[0].think = 0.15
    for name in names(c.rng, 6):
        c.ask(slow, name, A, lambda: Answer([(A, v4(c.rng))], ttl=c.rng.randint(1, 30)))
    return calm(c, resolver)


def restarted(c, resolver, inside):
    """A server that is down, and up again; and one that answers only for its own names."""
    own = Resolver(c.rng, f"9.11.{c.rng.randrange(250)}.9", 1)
    for i, name in enumerate(names(c.rng, 9)):
        c.ask(own, name, A, lambda i=i: None if i < 7 else Answer([(A, v4(c.rng))]), tries=2)
    return "anomaly"


ALL = (plain, plain, changing_answers, changing_answers, several_at_once, fails_at_times, truncated, other_types, signed,
       translated, rewritten, filter_on_lan, filter_chosen, split_horizon, neighbour, portal, moved_between_networks,
       late, restarted)
