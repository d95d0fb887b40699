# SPDX-License-Identifier: BSD-3-Clause
"""A long wire: passes frames between pairs of interfaces, each after a fixed delay.

The kernel the lab runs on may have no netem, and without path delay a forged packet and the real
one cannot be told apart by when they arrive. Frames are copied whole, so nobody sees a hop here.

usage: wire.py LEFT:RIGHT:DELAY_MS[:LATE_SHARE:LATE_MS] ...

LATE_SHARE of the frames wait LATE_MS longer and so arrive out of order.
"""
import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23


def port(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    # Without this every frame sent out would come back in as one to forward.
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((name, 0))
    sock.setblocking(False)
    return sock


def plug(words):
    """socket → (socket at the other end, delay, share that comes late, how late), in seconds"""
    lines = {}
    for word in words:
        left, right, delay, *late = word.split(":")
        share, extra = (float(late[0]), float(late[1]) / 1e3) if late else (0.0, 0.0)
        a, b = port(left), port(right)
        lines[a] = (b, float(delay) / 1e3, share, extra)
        lines[b] = (a, float(delay) / 1e3, share, extra)
    return lines


def run(lines):
    dice = random.Random(1)         # a fixed seed: two runs reorder alike
    queue, order = [], 0
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        ready, _, _ = select.select(list(lines), [], [], wait)
        for sock in ready:
            out, delay, share, extra = lines[sock]
            for _ in range(64):
                try:
                    frame = sock.recv(65536)
                except OSError:     # nothing left, or the interface is down
                    break
                due = time.monotonic() + delay + (extra if dice.random() < share else 0.0)
                order += 1          # equal times leave in the order they came
                heapq.heappush(queue, (due, order, out, frame))
        while queue and queue[0][0] <= time.monotonic():
            _, _, out, frame = heapq.heappop(queue)
            try:
                out.send(frame)
            except OSError:         # an interface that a scenario has taken down loses frames
                pass


if __name__ == "__main__":
    lines = plug(sys.argv[1:])
    print("ready", flush=True)
    try:
        run(lines)
    except KeyboardInterrupt:
        pass
