#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Honest web servers over bad networks accuse nobody: honest_web.py WMSCOPE [SEED [CAPTURES]]

HTTP and TLS between the ends of honest.py: redirects, refusals and error pages of the origin itself, pages about
block pages, keep-alive, early answers, balancers, caches, portals; alerts and resets of a server for names it does
not have, certificates that change, clients that hang up. Catalogue sections 4, 11 and 12: alerts and 451 are the
server's, a product's page is an anomaly, a reset that its sender's own stamps fit is at most one too.
"""
import random
import sys

import honest_web_scenes as scenes
import honest_world as world
from honest import Path
from honest_world import Scene, Stack


class Server:
    def __init__(self, address):
        rng = random.Random(address)
        self.address, self.delay, self.stack = address, rng.choice((0.001, 0.01, 0.06)), Stack(rng)
        self.hops, self.timestamps = rng.randint(1, 18), rng.random() < 0.7


class Client:
    """One scene: connections of one client, after each other."""

    def __init__(self, rng, address, place, missing):
        self.rng, self.address, self.place, self.missing = rng, address, place, missing
        self.stack, self.hops = Stack(rng), rng.randint(0, 6)
        self.port, self.now, self.frames = rng.randrange(20000, 50000), rng.random() * 60, []
        self.loss, self.twice = rng.choice((0, 0, 0.02, 0.1)), rng.choice((0, 0, 0.03))
        self.jitter = rng.choice((0, 0.0001, 0.003))

    def clean(self):
        return self.loss == 0 and self.twice == 0 and self.missing == 0 and self.jitter == 0

    def connect(self, server, port, play, broken=False):
        """play(path) runs once the handshake is done. broken: what the client says is lost on its way."""
        path = Path(self.rng, self.port, self.place, self.missing)
        self.port += self.rng.randint(1, 9)
        path.client, path.server, path.server_port = self.address, server.address, port
        path.stacks = {True: self.stack, False: server.stack}
        path.hops, path.delay, path.timestamps = (self.hops, server.hops), server.delay, server.timestamps
        path.loss, path.twice, path.jitter, path.rto = self.loss, self.twice, self.jitter, 0.2 + 3 * server.delay
        path.swallows = broken
        path.now, path.started = self.now, lambda: play(path)
        path.connect()
        path.run()
        self.now = path.now + self.rng.choice((0.01, 1, 20))
        self.frames += path.frames


def crowd(rng, place, missing):
    """Clients of one server, each with a name or two of many; the ways of some are broken, whatever they ask."""
    server, frames, cast = Server(0xcb007100 + rng.randrange(1, 9)), [], {}
    names = [f"www{i}.example" for i in range(rng.choice((2, 5, 20)))]
    share = rng.choice((0.1, 0.3, 0.5))
    for i in range(rng.choice((4, 10, 40))):
        client, broken = Client(rng, 0xc0000281 + i, place, missing), rng.random() < share
        client.now += rng.random() * 600
        mine = rng.sample(names, rng.choice((1, 1, 2)))
        for _ in range(rng.choice((1, 3))):
            scenes.secure(client, server, rng.choice(mine), broken=broken)
            client.now += rng.choice((5, 40, 200))
        frames += client.frames
        cast[client.address] = Scene("crowd", "anomaly")
    return frames, cast


def stage(rng):
    place, missing = rng.choice((0, 0, 0, 1, 0.5)), rng.choice((0, 0, 0, 0.02, 0.2))
    frames, cast = crowd(rng, place, missing) if rng.random() < 0.3 else ([], {})
    for i in range(rng.choice((1, 5, 25))):
        client = Client(rng, 0xc0000201 + i, place, missing)
        play = rng.choice(scenes.ALL)
        most = play(client, Server(0xcb007100 + rng.randrange(1, 9)))
        frames += client.frames
        cast[client.address] = Scene(play.__name__, most)
    return frames, cast


if __name__ == "__main__":
    sys.exit(world.main(stage))
