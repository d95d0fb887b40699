# SPDX-License-Identifier: BSD-3-Clause
"""What clients and servers of honest_web.py do: each scene connects, and returns the most that may be said of it."""
import gzip

from honest_world import ACK, RST, Stack

NAMES = ("www.shop.com", "cdn.shop.com", "api.shop.com", "www.news.org")


def calm(client):
    return "none" if client.clean() else "anomaly"


def request(name, path="/", body=b"", more=""):
    method = "POST" if body else "GET"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: x\r\n{length}{more}\r\n".encode() + body


def answer(status, body=b"", more="", server=True):
    own = "Server: nginx\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n" if server else ""
    return f"HTTP/1.1 {status}\r\n{own}Content-Type: text/html\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def page(rng, size=None):
    return b"<html><body>" + rng.choice((b"hello ", b"news ")) * (size or rng.choice((5, 200, 3000))) + b"</body></html>"


def talk(p, turns, end="close", think=0.01):
    """turns: what the client says and what it is answered; end: what the server does then."""
    client, server = p.ends[True], p.ends[False]

    def finish():
        if end == "close":
            server.close()
        elif end == "reset":
            server.abort()
        elif end == "close-reset":
            server.close()
            p.later(p.delay * p.rng.random(), server.abort, p.rng.random() < 0.5)
        elif end == "client-close":
            client.close()
        elif end == "client-reset":
            client.abort(p.rng.random() < 0.5)

    def serve(reply, rest):
        for part in reply if isinstance(reply, list) else [reply]:
            if part:
                server.push(part)
        if rest:
            client.then = [lambda: p.later(p.rng.choice((0, 0.01, 1)), ask, rest)]
        elif end.startswith("client"):
            client.then = [lambda: p.later(p.rng.choice((0, 0.1)), finish)]
        else:
            finish()

    def ask(left):
        server.then = [lambda: p.later(think, serve, left[0][1], left[1:])]
        client.push(left[0][0])
    ask(turns)
    p.later(40, client.close)


def web(c, server, turns, end="close", think=None, port=80, broken=False):
    c.connect(server, port, lambda p: talk(p, turns, end, c.rng.choice((0.0005, 0.02, 0.7)) if think is None else think),
              broken)


# --- HTTP

def plain(c, server):
    for _ in range(c.rng.choice((1, 6))):
        turns = [(request(c.rng.choice(NAMES)), answer("200 OK", page(c.rng))) for _ in range(c.rng.choice((1, 1, 4)))]
        web(c, server, turns, c.rng.choice(("close", "client-close", "client-close")))
    return calm(c)


def redirected(c, server):
    """To a login, to the same with TLS, or to another country's host: small, and closed at once."""
    for _ in range(3):
        to = c.rng.choice(("https://www.shop.com/", "http://login.shop.com/?next=/", "http://files.mirror.net/a.zip"))
        web(c, server, [(request("www.shop.com"), answer(c.rng.choice(("301 Moved", "302 Found", "307 Temporary Redirect")),
                                                         b"", f"Location: {to}\r\nConnection: close\r\n",
                                                         c.rng.random() < 0.5))])
    return "anomaly"


def refused_by_origin(c, server):
    for status in ("403 Forbidden", "451 Unavailable For Legal Reasons", "429 Too Many Requests", "503 Busy", "520 Unknown"):
        web(c, server, [(request(c.rng.choice(NAMES)), answer(status, b"Access denied. This website is blocked." * 3,
                                                              "Connection: close\r\n", c.rng.random() < 0.7))],
            c.rng.choice(("close", "close-reset", "reset")))
    return "anomaly"


def refuses_one_name(c, server):
    """An application firewall, or the owner: for one host only, again and again, and others pass."""
    for i in range(9):
        if i % 2:
            web(c, server, [(request("bad.shop.com", "/?q=union+select"), answer("403 Forbidden", b"Request blocked"))],
                c.rng.choice(("close-reset", "reset")))
        else:
            web(c, server, [(request(NAMES[i % 3]), answer("200 OK", page(c.rng)))])
    return "anomaly"


def about_block_pages(c, server):
    quotes = (b'<iframe src="http://10.10.34.34?type=Invalid Site&policy=MainPolicy">', b"Powered By FortiGuard",
              b"http://lamanlabuh.aduankonten.id/", b"/webadmin/deny", b"airtel.in/dot/?dpid=1", b"gateway.zscaler.net")
    text = b"".join(b"<p>" + q.replace(b"<", b"&lt;") + b"</p>" + b"A filter shows this. " * 400 for q in quotes)
    web(c, server, [(request("www.news.org"), answer("200 OK", text))])
    body = gzip.compress(text, mtime=0)
    web(c, server, [(request("www.news.org"), answer("200 OK", body, "Content-Encoding: gzip\r\n"))])
    return "anomaly"


def compressed(c, server):
    for _ in range(3):
        body = page(c.rng)
        zipped = gzip.compress(body, mtime=0)
        chunked = b"".join(f"{len(zipped[i:i + 99]):x}\r\n".encode() + zipped[i:i + 99] + b"\r\n"
                           for i in range(0, len(zipped), 99)) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        web(c, server, [(request("www.shop.com"), [head, chunked])], "client-close")
    return calm(c)


def early_answers(c, server):
    """Before the request is whole: Expect, too large, too slow; the rest of it meets a reset."""
    body = bytes(c.rng.choice((3000, 30000)))
    web(c, server, [(request("www.shop.com", body=body), answer("413 Too Large", b"no", "Connection: close\r\n"))],
        c.rng.choice(("close", "reset", "close-reset")), think=0)
    web(c, server, [(request("www.shop.com", body=b"x" * 9, more="Expect: 100-continue\r\n")[:-9],
                     b"HTTP/1.1 100 Continue\r\n\r\n"), (b"x" * 9, answer("200 OK", page(c.rng)))])
    web(c, server, [(b"GE", answer("400 Bad Request", b"", "Connection: close\r\n"))], "close-reset")

    def slow(p):
        late = request("www.shop.com")
        p.later(p.rng.choice((0, 0.5, 1)) * p.delay, p.ends[False].push, answer("408 Request Timeout", b""))
        p.later(p.rng.choice((0, 0.5, 1)) * p.delay, p.ends[False].close)
        p.later(p.rng.choice((0, 0.1, 1)) * p.delay, p.ends[True].push, late)
        p.later(9, p.ends[True].close)
    c.connect(server, 80, slow)
    return "anomaly"


def other_protocols(c, server):
    for first in (b"<html>old</html>", b"SSH-2.0-x\r\n", b"\0\1\2\3", b"ICY 200 OK\r\n\r\n"):
        web(c, server, [(request("radio.shop.com"), first)])
    web(c, server, [(request("www.shop.com", more="Upgrade: websocket\r\n"),
                     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), (b"\x81\x85abcd12345", b"\x81\5hello")])
    return "anomaly"


def hangs_up(c, server):
    """The reader stops loading, or closes the page."""
    for _ in range(4):
        web(c, server, [(request("www.shop.com"), answer("200 OK", page(c.rng, 6000)))], "client-reset")
    return "anomaly"


def behind_a_balancer(c, server):
    """It answers the handshake and errors itself, and lets the servers answer the rest; each with stamps of its own."""
    box, rng = Stack(c.rng), c.rng

    def play(p):
        def fail():
            end = p.ends[False]
            end.stack = box
            end.push(answer("503 Service Unavailable", b"", "Connection: close\r\n"))
            if rng.random() < 0.5:
                end.close()
            else:
                end.abort()
        talk(p, [(request("www.shop.com"), answer("200 OK", page(rng))), (request("www.shop.com", "/b"), b"")], "none")
        p.later(3, fail)
    for _ in range(3):
        c.connect(server, 80, play)
        web(c, server, [(request("www.shop.com"), answer("200 OK", page(c.rng)))], port=80)
    return "anomaly"


def near_cache(c, server):
    """It answers for the server, at once what it knows, and what it does not a round trip later."""
    hops, delay = server.hops, server.delay
    server.hops, server.delay, server.stack = 1, 0.0003, Stack(c.rng)
    for _ in range(5):
        web(c, server, [(request(c.rng.choice(NAMES)), answer("200 OK", page(c.rng), "Via: 1.1 cache\r\n"))],
            think=c.rng.choice((0.0001, 0.2)))
    server.hops, server.delay = hops, delay
    return calm(c)


def portal(c, server):
    """The same for every server until the login: a redirect by a machine next door; then the servers themselves."""
    hops, delay, stack = server.hops, server.delay, server.stack
    server.hops, server.delay, server.stack = 1, 0.0004, Stack(c.rng)
    for name in ("captive.apple.com", "www.shop.com", "www.news.org"):
        web(c, server, [(request(name), answer("302 Found", b"", "Location: http://10.1.1.1/login\r\nConnection: close\r\n",
                                               False))])
    server.hops, server.delay, server.stack = hops, delay, stack
    c.now += 60
    for name in NAMES:
        web(c, server, [(request(name), answer("200 OK", page(c.rng)))])
    return "anomaly"


# --- TLS

def hello(rng, name, grease=False):
    name = name.encode()
    sni = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" + \
        len(name).to_bytes(2, "big") + name
    ech = b"\xfe\x0d\0\x40" + b"\0\0\1\0\1" + rng.randbytes(59) if grease else b""
    pad = rng.choice((180, 1700))
    extensions = sni + ech + b"\0\x15" + pad.to_bytes(2, "big") + bytes(pad)
    data = b"\3\3" + rng.randbytes(32) + b"\0\0\2\x13\1\1\0" + len(extensions).to_bytes(2, "big") + extensions
    return record(0x16, b"\1" + len(data).to_bytes(3, "big") + data)


def record(kind, data):
    return bytes([kind, 3, 3]) + len(data).to_bytes(2, "big") + data


def server_flight(rng):
    data = b"\3\3" + rng.randbytes(32) + b"\0\x13\1\0\0\0"
    return record(0x16, b"\2" + len(data).to_bytes(3, "big") + data) + record(0x14, b"\1") + \
        record(0x17, rng.randbytes(rng.choice((1200, 3500))))


def fatal(code):
    return record(0x15, bytes([2, code]))


def data(rng, size=None):
    return record(0x17, rng.randbytes(size or rng.choice((40, 900, 9000))))


def secure(c, server, name, turns=2, end="client-close", grease=False, broken=False):
    more = [(data(c.rng, 90), data(c.rng)) for _ in range(turns)]
    web(c, server, [(hello(c.rng, name, grease), server_flight(c.rng))] + more, end, port=443, broken=broken)


def tls_plain(c, server):
    for _ in range(c.rng.choice((1, 6))):
        secure(c, server, c.rng.choice(NAMES), c.rng.randint(0, 3), c.rng.choice(("close", "client-close")),
               c.rng.random() < 0.5)
    return calm(c)


def unknown_name(c, server):
    """For one name only, and each time: an alert, with or without a reset, or only that, or a FIN."""
    says, end = c.rng.choice((fatal(112), fatal(40), b"")), c.rng.choice(("close", "reset", "close-reset"))
    for i in range(9):
        if i % 2:
            web(c, server, [(hello(c.rng, "unknown.shop.com"), says)], end, port=443)
        else:
            secure(c, server, NAMES[i % 3])
    return "anomaly"


def wants_a_certificate(c, server):
    for _ in range(3):
        web(c, server, [(hello(c.rng, "intra.shop.com"), server_flight(c.rng)), (data(c.rng, 60), fatal(116))],
            c.rng.choice(("close", "reset", "close-reset")), port=443)
    return "anomaly"


def distrusts(c, server):
    """The client does not like the certificate: an alert, and often a reset."""
    for _ in range(3):
        web(c, server, [(hello(c.rng, "self.shop.com"), server_flight(c.rng)), (fatal(48), b"")],
            c.rng.choice(("client-close", "client-reset")), port=443)
    return "anomaly"


def balancer_refuses_name(c, server):
    """What stands before the servers knows the names and resets for one, with its own stamps."""
    box = Stack(c.rng)

    def refuse(p):
        server_end = p.ends[False]
        server_end.then = [lambda: (p.put(False, box, RST | ACK, server_end.nxt, server_end.rcv, b"", False),
                                    setattr(server_end, "dead", True))]
        p.ends[True].push(hello(c.rng, "old.shop.com"))
    for i in range(7):
        if i % 2:
            c.connect(server, 443, refuse)
        else:
            secure(c, server, NAMES[i % 3])
    return "likely"     # EV-* and TRIG-SNI, as a box on the path would: who owns it packets do not say


def idle(c, server):
    for _ in range(3):
        def play(p):
            talk(p, [(hello(c.rng, "www.shop.com"), server_flight(c.rng)), (data(c.rng, 60), data(c.rng))], "none")
            p.later(c.rng.choice((15, 25, 35)), p.ends[False].abort, c.rng.random() < 0.5)
        c.connect(server, 443, play)
    return "anomaly"


ALL = (plain, plain, redirected, refused_by_origin, refuses_one_name, about_block_pages, compressed, early_answers,
       other_protocols, hangs_up, behind_a_balancer, near_cache, portal, tls_plain, tls_plain, unknown_name,
       wants_a_certificate, distrusts, balancer_refuses_name, idle)
