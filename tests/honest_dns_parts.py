# SPDX-License-Identifier: BSD-3-Clause
"""Of honest_dns.py: messages, resolvers with their sites, and clients with their networks."""
import honest_world as world

A, CNAME, PTR, MX, AAAA, HTTPS = 1, 5, 12, 15, 28, 65
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
AA, TC, RD, RA, AD = 0x400, 0x200, 0x100, 0x80, 0x20


def name_of(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".") if p) + b"\0"


def v4(rng, net="93.184"):
    return bytes(int(b) for b in net.split(".")) + bytes([rng.randrange(256), rng.randrange(1, 255)])


def private(rng):
    return rng.choice((b"\x0a\1\2", b"\xc0\xa8\7", b"\xac\x10\1")) + bytes([rng.randrange(1, 255)])


class Answer:
    """What a resolver says; records: (type, data)."""

    def __init__(self, records=(), rcode=0, flags=0, ttl=300, opt=True, at_once=False):
        self.records, self.rcode, self.flags, self.ttl, self.opt = list(records), rcode, flags, ttl, opt
        self.at_once = at_once


def message(ident, name, kind, flags, answer=None, opt=False, pointer=True):
    records = answer.records if answer else []
    data = b"".join(n.to_bytes(2, "big") for n in (ident, flags, 1, len(records), 0, int(opt)))
    data += name + kind.to_bytes(2, "big") + b"\0\1"
    for rtype, rdata in records:
        data += (b"\xc0\x0c" if pointer else name) + rtype.to_bytes(2, "big") + b"\0\1" + \
            answer.ttl.to_bytes(4, "big") + len(rdata).to_bytes(2, "big") + rdata
    return data + (b"\0\0\x29\x04\xd0\0\0\x80\0\0\0" if opt else b"")


class Site:
    """One of the servers behind an address."""

    def __init__(self, rng, like=None):
        self.stack = world.Stack(rng)
        self.pointer, self.opt, self.lower = rng.random() < 0.9, rng.random() < 0.8, rng.random() < 0.05
        if like is not None:    # the same machines and programs elsewhere
            self.stack.ttl, self.stack.id_rule, self.stack.df = like.stack.ttl, like.stack.id_rule, like.stack.df
            self.pointer, self.opt, self.lower = like.pointer, like.opt, like.lower
        self.hops = rng.randint(1, 16)
        self.delay = rng.choice((0.0005, 0.004, 0.015, 0.08))
        self.think = rng.choice((0.0002, 0.01, 0.05))


class Resolver:
    def __init__(self, rng, address, sites):
        self.rng, self.address = rng, address
        self.sites = [Site(rng)]
        self.sites += [Site(rng, self.sites[0]) for _ in range(sites - 1)]
        self.flaps = rng.choice((0, 0.02, 0.3)) if sites > 1 else 0
        self.route = self.sites[0]
        self.ecmp = rng.choice((0, 0, 1, 3))

    def site(self):
        """Where the next packet goes: routes change, and parts of a network see others."""
        if self.rng.random() < self.flaps:
            self.route = self.rng.choice(self.sites)
        return self.route


class Client:
    """One scene: who asks, and over which network."""

    def __init__(self, rng, address, place, missing):
        self.rng, self.address, self.place, self.missing = rng, address, place, missing
        self.stack = world.Stack(rng)
        self.hops = rng.randint(0, 6)
        self.loss, self.twice = rng.choice((0, 0, 0.05, 0.3)), rng.choice((0, 0, 0.02, 0.2))
        self.jitter = rng.choice((0, 0.0003, 0.02))
        self.opt, self.mixed = rng.random() < 0.7, rng.random() < 0.2
        self.again = rng.choice(("same", "id", "port"))
        self.timeout = rng.choice((0.3, 1, 5))
        self.now, self.frames = rng.random() * 30, []
        self.source = rng.randrange(1024, 60000)

    def clean(self):
        return self.loss == 0 and self.twice == 0 and self.missing == 0

    def capture(self, at, ends, ports, stamp, data):
        if self.rng.random() >= self.missing:
            self.frames.append(world.udp(at, ends, ports, stamp, data))

    def copies(self, share):
        """Copies of a packet behind this part of the way: lost, one, or doubled."""
        if self.rng.random() < self.loss * share:
            return 0
        return 2 if self.rng.random() < self.twice * share else 1

    def travel(self, at, seconds):
        return at + seconds + self.rng.random() * self.jitter

    def query(self, at, resolver, port, data, reply):
        """One datagram, and the arrivals of what came back."""
        came, place = [], self.place
        ttl, ident, df = self.stack.stamp()
        for _ in range(self.copies(place) if place else 1):
            here = self.travel(at, resolver.sites[0].delay * place) if place else at
            self.capture(here, (self.address, resolver.address), (port, 53),
                         (ttl - (self.hops if place else 0), ident, df), data)
            for _ in range(self.copies(1 - place)):
                site = resolver.site()
                came += self.answered(self.travel(here, site.delay * (1 - place)), resolver, site, port, reply)
        return came

    def answered(self, at, resolver, site, port, reply):
        what, data = reply(site)
        came, place = [], self.place
        if data is None:
            return came
        ttl, ident, df = site.stack.stamp()
        ttl -= (site.hops + self.rng.randint(0, resolver.ecmp)) if place < 1 else 0
        at += 0.0001 if what.at_once else site.think * self.rng.choice((1, 1, 1.5, 30))
        for _ in range(self.copies(1 - place)):
            here = self.travel(at, site.delay * (1 - place))
            self.capture(here, (resolver.address, self.address), (53, port), (ttl, ident, df), data)
            came += [self.travel(here, site.delay * place) for _ in range(self.copies(place))]
        return came

    def ask(self, resolver, name, kind, say, tries=3):
        """say(): the Answer of one server to one query, or None. Asked until an answer comes."""
        rng, first = self.rng, self.now
        port, ident = self.source, rng.randrange(65536)
        self.source = 1024 + (self.source + rng.randrange(1, 900)) % 60000
        text = "".join(rng.choice((c.lower(), c.upper())) for c in name) if self.mixed else name
        wire = name_of(text)

        def reply(site):
            what = say()
            if what is None:
                return None, None
            flags = 0x8000 | RD | RA | what.flags | what.rcode
            echoed = name_of(text.lower()) if site.lower else wire
            return what, message(ident, echoed, kind, flags, what, self.opt and site.opt and what.opt, site.pointer)
        for number in range(tries):
            came = self.query(self.now, resolver, port, message(ident, wire, kind, RD, opt=self.opt), reply)
            if came and min(came) < self.now + self.timeout and rng.random() > 0.02:
                self.now = min(came) + rng.choice((0.0001, 0.01, 1))
                return number + 1
            self.now += self.timeout
            if self.again != "same":
                ident = rng.randrange(65536)
            if self.again == "port":
                port = rng.randrange(1024, 61000)
        self.now = max(self.now, first + 1)
        return 0

    def over_tcp(self, resolver, name, kind, answer):
        rng, site = self.rng, resolver.sites[0]
        port, ident, wire = rng.randrange(1024, 61000), rng.randrange(65536), name_of(name)
        mine, theirs = rng.randrange(1 << 32), rng.randrange(1 << 32)
        asks = message(ident, wire, kind, RD, opt=self.opt)
        says = message(ident, wire, kind, 0x8000 | RD | RA, answer, self.opt and site.opt, site.pointer)
        asks, says = (len(m).to_bytes(2, "big") + m for m in (asks, says))
        steps = ((1, world.SYN, 0, 0, b""), (0, world.SYN | world.ACK, 0, 1, b""), (1, world.ACK, 1, 1, b""),
                 (1, world.PSH | world.ACK, 1, 1, asks), (0, world.PSH | world.ACK, 1, 1 + len(asks), says),
                 (1, world.FIN | world.ACK, 1 + len(asks), 1 + len(says), b""),
                 (0, world.FIN | world.ACK, 1 + len(says), 2 + len(asks), b""),
                 (1, world.ACK, 2 + len(asks), 2 + len(says), b""))
        for up, flags, seq, ack, data in steps:
            stack, hops = (self.stack, self.hops * (self.place > 0)) if up else (site.stack, site.hops * (self.place < 1))
            ttl, number, df = stack.stamp(flags)
            ends, ports = (self.address, resolver.address), (port, 53)
            bases = (mine, theirs) if up else (theirs, mine)
            self.now += site.delay if up != self.place else 0.0001
            if rng.random() >= self.missing:
                self.frames.append(world.tcp(self.now, ends if up else ends[::-1], ports if up else ports[::-1],
                                             (ttl - hops, number, df), flags,
                                             (bases[0] + seq, bases[1] + ack if flags & world.ACK else 0), data))
