# SPDX-License-Identifier: BSD-3-Clause
"""TLS clients and servers that curl and nginx cannot be asked to be: hellos with extensions of choice or
cut into records, servers that read the name and refuse it in their own ways.

usage: tlspeer.py ACTION ARGUMENT...    the actions are the functions below named do_ACTION
"""
import ctypes
import ctypes.util
import os
import socket
import ssl
import struct
import sys
import threading
import time

from peer import abort, dial, request, tls_fetch
from wording import server_name

SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
SSL_EXT_CLIENT_HELLO = 0x80
ADD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint,
                       ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t),
                       ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p)


def die_at_once(sock):
    """no retransmissions by the kernel after the program has given up: they would trigger boxes anew"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def do_try(addr, name, seconds, port="0"):
    """one fetch that is given up after so many seconds, from a source port of choice"""
    def before(sock):
        die_at_once(sock)
        sock.settimeout(float(seconds))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::" if ":" in addr else "0.0.0.0", int(port)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(dial(addr, 443, before), server_hostname=name) as tls:
        tls.sendall(request("/small", name, close=True))
        while tls.recv(65536):
            pass


def do_hello(path, name):
    """nothing is sent: writes OpenSSL's hello for that name to a file"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    with open(path, "wb") as file:
        file.write(out.read())


def body_of(kind):
    """What goes into the extension: the published layouts, filled with random bytes. (ESNI:
    draft-ietf-tls-esni-02, section 5.1; ECH: draft-ietf-tls-esni-18, section 5)"""
    key = os.urandom(32)
    if kind == 0xffce:
        sealed = os.urandom(292)
        return (b"\x13\x01\x00\x1d\x00\x20" + key + b"\x00\x20" + os.urandom(32)
                + struct.pack("!H", len(sealed)) + sealed)
    sealed = os.urandom(176)
    return (b"\x00\x00\x01\x00\x01" + os.urandom(1) + b"\x00\x20" + key
            + struct.pack("!H", len(sealed)) + sealed)


def do_extension(addr, name, *kinds):
    """a whole TLS connection by OpenSSL whose hello carries these extensions (hex); servers that do
    not know them go on as usual"""
    lib = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for function in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(lib, function).restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.SSL_CTX_new(ctypes.c_void_p(lib.TLS_client_method())))
    kept = []
    for kind in (int(word, 16) for word in kinds):
        body = ctypes.create_string_buffer(body_of(kind))

        def add(_ssl, _kind, _context, out, size, _x509, _chain, _alert, _arg, body=body):
            out[0] = ctypes.addressof(body)
            size[0] = len(body) - 1
            return 1
        kept.append(ADD(add))
        if lib.SSL_CTX_add_custom_ext(context, kind, SSL_EXT_CLIENT_HELLO, kept[-1], None, None,
                                      None, None) != 1:
            sys.exit(f"OpenSSL will not send extension {kind:#x} for others")
    sock = dial(addr, 443, die_at_once)
    sock.setblocking(True)
    tls = ctypes.c_void_p(lib.SSL_new(context))
    lib.SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, ctypes.c_long(0), name.encode())
    lib.SSL_set_fd(tls, sock.fileno())
    if lib.SSL_connect(tls) != 1:
        sys.exit("no handshake")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    ask = request("/small", name, close=True)
    lib.SSL_write(tls, ask, len(ask))
    data = ctypes.create_string_buffer(16384)
    while lib.SSL_read(tls, data, 16384) > 0:
        pass
    lib.SSL_shutdown(tls)
    sock.close()


def do_records(addr, name):
    """the ClientHello in two TLS records of one segment, the name lying across them"""
    def cut(hello):
        at = hello.index(name.encode()) + len(name) // 2
        first, second = hello[5:at], hello[at:]
        return [b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part
                         for part in (first, second))]
    tls_fetch(addr, name, cut)


def do_refuse(port, name, how, certificate, key):
    """A server with an opinion of its own about one name, told after reading the hello: resets it,
    never answers it. All others are served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", int(port)))
    server.listen(16)

    def serve(sock):
        hello = sock.recv(4096, socket.MSG_PEEK)
        if server_name(hello) == name:
            sock.recv(4096)
            if how == "ignore":
                time.sleep(20)
            return abort(sock)
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n" + b"r" * 500)
            tls.unwrap()
        return None

    def guarded(sock):
        try:
            serve(sock)
        except OSError:     # what clients do to it is not this server's problem
            sock.close()

    while True:
        threading.Thread(target=guarded, args=(server.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    globals()["do_" + sys.argv[1].replace("-", "_")](*sys.argv[2:])
