# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for both ends of SSTP, of which Debian has no server and whose client needs a kernel with PPP: what
MS-SSTP puts on the wire, and LCP echoes (RFC 1661) as what it carries. No PPP is set up, and nobody
checks the crypto binding.

usage: sstppeer.py serve PORT [CERTIFICATE KEY]               in TLS, or in the clear as behind what ends its TLS
       sstppeer.py call ADDRESS PORT NAME ECHOES SECONDS [tls]    so many echoes, with so long between them
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

from peer import dial
from pppd import ECHO_REPLY, ECHO_REQUEST, lcp

URI = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"   # section 3.2.4.1
LENGTH = 2**64 - 1                                      # of what follows the headers: section 3.2.4.1
VERSION, CONTROL = 0x10, 1                              # section 2.2.1
CALL_CONNECT_REQUEST, CALL_CONNECT_ACK, CALL_CONNECTED = 1, 2, 4    # section 2.2.2
CALL_DISCONNECT, CALL_DISCONNECT_ACK = 6, 7
PROTOCOL_ID, CRYPTO_BINDING, CRYPTO_BINDING_REQUEST = 1, 3, 4       # attributes: section 2.2.4
PPP, SHA256 = b"\0\1", b"\0\0\0\2"


def message(kind, *attributes):
    body = struct.pack("!HH", kind, len(attributes))
    for ident, value in attributes:
        body += struct.pack("!BBH", 0, ident, 4 + len(value)) + value
    return struct.pack("!BBH", VERSION, CONTROL, 4 + len(body)) + body


def data(frame):
    frame = b"\xff\x03" + frame     # all stations, unnumbered information: PPP in HDLC's likeness
    return struct.pack("!BBH", VERSION, 0, 4 + len(frame)) + frame


def read(stream):
    """→ (is control, body), or None where the other end is through"""
    head = stream.read(4)
    if len(head) < 4:
        return None
    _, control, size = struct.unpack("!BBH", head)
    return bool(control & CONTROL), stream.read((size & 0xfff) - 4)


def headers(stream):
    while stream.readline() not in (b"\r\n", b""):
        pass


def drain(sock, seconds):
    """takes what comes for so long"""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            if not sock.recv(65536):
                time.sleep(left)
        except TimeoutError:
            pass
    sock.settimeout(None)


def answer(sock):
    with sock, sock.makefile("rb") as stream:
        if not stream.readline().startswith(b"SSTP_DUPLEX_POST "):
            return
        headers(stream)
        sock.sendall(f"HTTP/1.1 200\r\nContent-Length: {LENGTH}\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n".encode())
        while got := read(stream):
            control, body = got
            kind = struct.unpack_from("!H", body)[0]
            if control and kind == CALL_CONNECT_REQUEST:
                sock.sendall(message(CALL_CONNECT_ACK, (CRYPTO_BINDING_REQUEST, SHA256 + os.urandom(32))))
            elif control and kind == CALL_DISCONNECT:
                sock.sendall(message(CALL_DISCONNECT_ACK))
                return
            elif not control and body[4:5] == bytes([ECHO_REQUEST]):
                sock.sendall(data(lcp(ECHO_REPLY, body[5], body[8:])))


def do_serve(port, certificate=None, key=None):
    listener = socket.create_server(("", int(port)))
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

    def one(sock):
        try:
            answer(context.wrap_socket(sock, server_side=True) if context else sock)
        except OSError:
            pass
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def do_call(address, port, name, echoes, seconds, how=""):
    sock = dial(address, port)
    if how == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock, server_hostname=name)
    with sock, sock.makefile("rb") as stream:
        sock.sendall(f"SSTP_DUPLEX_POST {URI} HTTP/1.1\r\nContent-Length: {LENGTH}\r\nHost: {name}\r\n\r\n".encode())
        headers(stream)
        sock.sendall(message(CALL_CONNECT_REQUEST, (PROTOCOL_ID, PPP)))
        _, ack = read(stream)
        # The certificate's hash and the MAC would be computed; here they are as random as they look.
        sock.sendall(message(CALL_CONNECTED, (CRYPTO_BINDING, SHA256 + ack[-32:] + os.urandom(64))))
        for k in range(int(echoes)):
            sock.sendall(data(lcp(ECHO_REQUEST, k % 255 + 1, bytes(200))))
            drain(sock, float(seconds))
        sock.sendall(message(CALL_DISCONNECT))
        drain(sock, 0.2)


def main():
    try:
        {"serve": do_serve, "call": do_call}[sys.argv[1]](*sys.argv[2:])
    except (OSError, TypeError) as error:    # what the box did to it
        print(f"sstppeer: {error!r}")


if __name__ == "__main__":
    main()
