# SPDX-License-Identifier: BSD-3-Clause
"""Ends of UDP that no program offers.

usage: udppeer.py ACTION ARGUMENT...    the actions are the functions below named do_ACTION
"""
import socket
import sys


def listen(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind(("::", int(port)))
    return sock


def do_sink(port):
    """takes everything, answers nothing"""
    sock = listen(port)
    while True:
        sock.recv(65536)


if __name__ == "__main__":
    globals()["do_" + sys.argv[1].replace("-", "_")](*sys.argv[2:])
