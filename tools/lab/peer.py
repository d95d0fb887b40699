# SPDX-License-Identifier: BSD-3-Clause
"""Clients and servers that behave in ways curl and nginx cannot be asked to.

usage: peer.py ACTION ARGUMENT...    the actions are the functions below named do_ACTION
"""
import socket
import ssl
import struct
import sys
import time


def dial(addr, port, before=None):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(20)
    if before:
        before(sock)
    sock.connect((addr, int(port)))
    return sock


def abort(sock):
    """close with a reset, as a program does that has no use for what is still to come"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def request(path, name, close=False):
    how = "close" if close else "keep-alive"
    return f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: {how}\r\n\r\n".encode()


def read_answer(sock):
    """one answer with a Content-Length"""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            left = int(line.split(b":")[1]) - len(body)
            while left > 0:
                more = sock.recv(min(left, 65536))
                if not more:
                    break
                left -= len(more)
    return data


def tls_fetch(addr, name, cut, alpn=None):
    """TLS over a memory buffer: cut(hello) says into which pieces the ClientHello goes"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    sock = dial(addr, 443)
    sock.settimeout(12)
    first = True

    def drive(step):
        nonlocal first
        while True:
            try:
                result = step()
                sock.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for piece in cut(data) if first else [data]:
                    sock.sendall(piece)
                    time.sleep(0.004 if first else 0)   # two segments, not one
                first = False
                more = sock.recv(65536)
                if not more:
                    raise ConnectionError("closed in the handshake")
                incoming.write(more)

    drive(tls.do_handshake)
    drive(lambda: tls.write(request("/small", name)))
    got = 0
    while got < 2000:
        got += len(drive(lambda: tls.read(65536)))
    sock.close()


def do_split(addr, name):
    """the name in the ClientHello lies across two segments"""
    def cut(hello):
        at = hello.index(name.encode()) + len(name) // 2
        return [hello[:at], hello[at:]]
    tls_fetch(addr, name, cut)


def do_bighello(addr, name, last):
    """a hello as long as post-quantum ones; `last` is in its second segment only"""
    filler = [f"x-filler-{n:03d}-{'z' * 40}" for n in range(30)]
    tls_fetch(addr, name, lambda hello: [hello], filler + [last, "http/1.1"])


def do_linger(addr, port, stage, name="allowed.example"):
    sock = dial(addr, port)
    if stage == "connect":
        return abort(sock)
    sock.sendall(request("/slow/file", name))
    if stage == "download":
        sock.recv(2000)
        time.sleep(0.5)
    return abort(sock)


def do_reuse(addr, port, times, name="allowed.example"):
    """the same source port again and again, each time after a reset"""
    for last in range(int(times)):
        def bind(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("::" if ":" in addr else "0.0.0.0", 40001))
        sock = dial(addr, port, bind)
        sock.sendall(request("/small", name))
        try:
            read_answer(sock)
        except ConnectionResetError:
            pass
        abort(sock)


def do_fin_then_rst(addr, port, name="allowed.example"):
    """the server closes after its answer; then the client goes with bytes unread: RST after FIN"""
    sock = dial(addr, port)
    sock.sendall(request("/small", name, close=True))
    sock.recv(500)
    time.sleep(0.3)
    sock.close()


def do_half_close_abort(addr, port, name="allowed.example"):
    """FIN, and while the answer still flows a reset from the same side"""
    sock = dial(addr, port)
    sock.sendall(request("/slow/file", name))
    sock.recv(2000)
    sock.shutdown(socket.SHUT_WR)
    time.sleep(0.4)
    abort(sock)


def do_preconnect(addr, port, count, idle):
    """a browser opens sockets ahead of need, uses one, closes the others unused"""
    socks = [dial(addr, port) for _ in range(int(count))]
    socks[0].sendall(request("/small", "allowed.example"))
    read_answer(socks[0])
    time.sleep(float(idle))
    for sock in socks:
        sock.close()


def do_idle(addr, port, seconds, name="allowed.example", path="/small"):
    """request, silence, request on the same connection"""
    sock = dial(addr, port)
    sock.sendall(request("/small", name))
    read_answer(sock)
    time.sleep(float(seconds))
    sock.sendall(request(path, name, close=True))
    read_answer(sock)
    sock.close()


def do_keepalive(addr, port, seconds):
    def probes(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            sock.setsockopt(socket.IPPROTO_TCP, option, 1)
    sock = dial(addr, port, probes)
    sock.sendall(request("/small", "allowed.example"))
    read_answer(sock)
    time.sleep(float(seconds))
    sock.sendall(request("/", "allowed.example", close=True))
    read_answer(sock)
    sock.close()


def do_stall(addr, port, seconds):
    """a reader that pauses until its window is closed"""
    sock = dial(addr, port, lambda s: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096))
    sock.sendall(request("/mid", "allowed.example", close=True))
    time.sleep(float(seconds))
    while sock.recv(65536):
        pass
    sock.close()


def do_words(addr, port, *paths):
    """several requests over one connection; stops where it is stopped"""
    sock = dial(addr, port)
    sock.settimeout(12)
    for path in paths:
        sock.sendall(request(path, "allowed.example"))
        read_answer(sock)
        time.sleep(0.2)
    sock.close()


def do_serve(port, behaviour):
    """a server: resets at once (overloaded), or after reading, or in its answer; or is slow"""
    server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", int(port)))
    server.listen(16)
    while True:
        sock, _ = server.accept()
        if behaviour != "reset":
            sock.recv(4096)
        if behaviour == "slow":
            time.sleep(7)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate")
            sock.close()
            continue
        if behaviour == "single":       # answer and FIN in one segment, as from a small device
            sock.send(b"HTTP/1.0 302 Found\r\nLocation: http://lab.example/setup\r\n"
                      b"Content-Length: 0\r\nConnection: close\r\n\r\n", socket.MSG_MORE)
            sock.close()
            continue
        if behaviour == "burst":        # the reset leaves right behind the data
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"f" * 9000)
        if behaviour == "half":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"f" * 4000)
            time.sleep(0.3)
        if behaviour == "unread":       # answers early, closes with the upload unread: kernel resets
            sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            time.sleep(0.1)
            sock.close()
            continue
        abort(sock)


if __name__ == "__main__":
    globals()["do_" + sys.argv[1].replace("-", "_")](*sys.argv[2:])
