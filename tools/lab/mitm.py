# SPDX-License-Identifier: BSD-3-Clause
"""A TLS proxy inside the box: connections to port 443 are turned to it (REDIRECT). It reads the name in
the hello; for names it minds it ends TLS itself, with a certificate of its own making, and speaks TLS
to the server; the bytes of all others it passes on untouched.

usage: mitm.py PORT KEYS NAME...     KEYS holds NAME.pem and NAME.key; "*" and star.pem mean every name
"""
import os
import select
import socket
import ssl
import struct
import sys
import threading

from wording import server_name

SO_ORIGINAL_DST = 80


def original(sock):
    data = sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return socket.inet_ntoa(data[4:8]), struct.unpack_from("!H", data, 2)[0]


def pump(left, right):
    pairs = {left: right, right: left}
    while True:
        for sock in select.select(list(pairs), [], [], 30)[0] or [None]:
            if sock is None:
                return
            data = sock.recv(16384)
            if not data:
                return
            pairs[sock].sendall(data)
            while isinstance(sock, ssl.SSLSocket) and sock.pending():
                pairs[sock].sendall(sock.recv(16384))


def handle(sock, keys, minded):
    upstream = socket.create_connection(original(sock), 10)
    try:
        name = server_name(sock.recv(4096, socket.MSG_PEEK)) or ""
        if name in minded or "*" in minded:
            file = os.path.join(keys, name if name in minded else "star")
            inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            inside.load_cert_chain(file + ".pem", file + ".key")
            outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            outside.check_hostname, outside.verify_mode = False, ssl.CERT_NONE
            sock = inside.wrap_socket(sock, server_side=True)
            upstream = outside.wrap_socket(upstream, server_hostname=name)
        pump(sock, upstream)
    except OSError:
        pass
    finally:
        sock.close()
        upstream.close()


def main():
    port, keys, minded = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen(32)
    print("ready", flush=True)
    while True:
        threading.Thread(target=handle, args=(server.accept()[0], keys, minded), daemon=True).start()


if __name__ == "__main__":
    main()
