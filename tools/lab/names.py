# SPDX-License-Identifier: BSD-3-Clause
"""DNS messages (RFC 1035, RFC 6891), as much of them as the lab reads and writes."""
import ipaddress
import socket
import struct

from capture import UDP

A, CNAME, TXT, AAAA, OPT = 1, 5, 16, 28, 41
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
RESPONSE, TRUNCATED = 0x8000, 0x0200
PORT = 53
POINTER = b"\xc0\x0c"       # to the name in the question, which stands right behind the header


class Message:
    """One message; ValueError where it is not one."""

    def __init__(self, data):
        try:
            self.txid, self.flags, questions, answers, authority, more = struct.unpack_from("!6H", data)
            if questions != 1:
                raise ValueError("not one question")
            self.qname, at = read_name(data, 12)
            self.qtype, _ = struct.unpack_from("!HH", data, at)
            self.question = data[12:at + 4]
            self.records, self.opt = [], False
            at += 4
            for number in range(answers + authority + more):
                at = self.record(data, at, number < answers)
        except (IndexError, struct.error, UnicodeDecodeError) as fault:
            raise ValueError("not a DNS message") from fault

    def record(self, data, at, answer):
        _, at = read_name(data, at)
        kind, _, _, size = struct.unpack_from("!HHIH", data, at)
        body = data[at + 10:at + 10 + size]
        self.opt |= kind == OPT
        if answer:
            self.records.append((kind, address_text(body) if kind in (A, AAAA) else
                                 read_name(data, at + 10)[0] if kind == CNAME else body.hex()))
        return at + 10 + size

    @property
    def is_response(self):
        return bool(self.flags & RESPONSE)

    @property
    def says(self):
        """what it answers, whatever the order of its records"""
        return self.flags & 15, tuple(sorted(self.records))

    @property
    def addresses(self):
        return [text for kind, text in self.records if kind in (A, AAAA)]


def address_text(body):
    return socket.inet_ntop(socket.AF_INET if len(body) == 4 else socket.AF_INET6, body)


def read_name(data, at):
    """→ (name without its last dot, in lower case; where what follows it begins)"""
    labels, end = [], None
    for _ in range(64):
        size = data[at]
        if size >= 0xc0:
            end = end or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3fff
        elif size:
            labels.append(data[at + 1:at + 1 + size].decode("ascii").lower())
            at += 1 + size
        else:
            return ".".join(labels), end or at + 1
    raise ValueError("a name that does not end")


def write_name(name):
    return b"".join(bytes([len(l)]) + l.encode("ascii") for l in name.split(".")) + b"\0"


def record(kind, body, ttl=60, owner=POINTER, sort=1):
    return owner + struct.pack("!HHIH", kind, sort, ttl, len(body)) + body


def address_record(text, ttl=60, owner=POINTER):
    body = ipaddress.ip_address(text).packed
    return record(A if len(body) == 4 else AAAA, body, ttl, owner)


def opt_record(size=1232):
    return record(OPT, b"", 0, b"\0", size)


def write(txid, flags, question, answers=(), more=()):
    return struct.pack("!6H", txid, flags, 1, len(answers), 0, len(more)) + question + \
        b"".join(answers) + b"".join(more)


def query(txid, name, kind=A, opt=False):
    question = write_name(name) + struct.pack("!HH", kind, 1)
    return write(txid, 0x0100, question, (), [opt_record()] if opt else [])


def message_of(frame):
    """the message in a UDP datagram, or in a TCP segment that holds the whole of one; or None"""
    if PORT not in (frame.sport, frame.dport):
        return None
    try:
        return Message(frame.payload if frame.proto == UDP else frame.payload[2:])
    except ValueError:
        return None


def txid_of(frame):
    if frame.proto != UDP or PORT not in (frame.sport, frame.dport) or len(frame.payload) < 2:
        return None
    return struct.unpack_from("!H", frame.payload)[0]
