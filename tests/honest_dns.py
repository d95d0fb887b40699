#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Honest resolvers over bad networks accuse nobody: honest_dns.py WMSCOPE [SEED [CAPTURES]]

Clients that ask again, paths that lose, double, delay and reroute, sites of one address that answer each in
its own way, and resolvers that filter, rewrite or hide names for those who asked them. The catalogue, section
9, on each: CDN answers, resolvers that users chose, captive portals, split horizon, retries and failures are
confounders. Where network and capture are whole they are no finding; a bogus or denied answer is at most an
anomaly, and so is a query that the network doubled.
"""
import sys

import honest_dns_scenes as scenes
import honest_world as world
from honest_dns_parts import Client, Resolver
from honest_world import Scene


def stage(rng):
    place, missing = rng.choice((0, 0, 0, 1, 0.5)), rng.choice((0, 0, 0, 0.03, 0.3))
    resolvers = [Resolver(rng, f"9.9.{i}.9", rng.choice((1, 1, 2, 3))) for i in range(3)]
    inside = Resolver(rng, "192.168.1.1", 1)
    frames, cast = [], {}
    one_way = rng.choice((True, False)) if rng.random() < 0.1 else None
    for i in range(rng.choice((1, 3, 12, 40))):
        client = Client(rng, f"20.70.{i}.7" if rng.random() < 0.3 else f"192.168.{i}.7", place, missing)
        play = rng.choice(scenes.ALL)
        most = play(client, rng.choice(resolvers), inside)
        if one_way is not None:     # the two directions take different ways, and the capture is on one
            client.frames = [f for f in client.frames if (f.data[12:16] == world.address(client.address)) == one_way]
        frames += client.frames
        cast[client.address] = Scene(play.__name__, most)
    return frames, cast


if __name__ == "__main__":
    sys.exit(world.main(stage))
