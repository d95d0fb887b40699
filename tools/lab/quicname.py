# SPDX-License-Identifier: BSD-3-Clause
"""The name in a QUIC client's first datagrams, for the lab's ground truth: Initial packets of version 1
opened with the keys that anybody on the path can derive (RFC 9001, section 5.2 and 5.4)."""
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION_1 = b"\0\0\0\1"
SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")    # RFC 9001, section 5.2


def is_initial(data):
    return len(data) > 6 and data[0] & 0xf0 == 0xc0 and data[1:5] == VERSION_1


def derive(secret, label, size):
    """HKDF-Expand-Label of RFC 8446, section 7.1; one block is enough here"""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]


def number(data, at):
    """variable-length integer → (value, where it ends)"""
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at:at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def open_initial(data):
    """the frames inside a client's Initial packet, or b"" """
    size = data[5]
    dcid, at = data[6:6 + size], 6 + size
    at += 1 + data[at]
    token, at = number(data, at)
    length, at = number(data, at + token)
    secret = hmac.new(SALT, dcid, hashlib.sha256).digest()
    client = derive(secret, b"client in", 32)
    mask = Cipher(algorithms.AES(derive(client, b"quic hp", 16)), modes.ECB()).encryptor()
    mask = mask.update(data[at + 4:at + 20])
    first = data[0] ^ (mask[0] & 0x0f)
    wide = (first & 3) + 1
    pn = bytes(a ^ b for a, b in zip(data[at:at + wide], mask[1:]))
    nonce = int.from_bytes(derive(client, b"quic iv", 12), "big") ^ int.from_bytes(pn, "big")
    head = bytes([first]) + data[1:at] + pn
    try:
        return AESGCM(derive(client, b"quic key", 16)).decrypt(
            nonce.to_bytes(12, "big"), data[at + wide:at + length], head)
    except InvalidTag:      # a later Initial under the keys of a DCID that the server chose
        return b""


def crypto_frames(plain):
    """yields (offset, bytes) of the CRYPTO frames; ends at what it does not know"""
    at = 0
    while at < len(plain):
        kind, at = plain[at], at + 1
        if kind == 6:
            offset, at = number(plain, at)
            size, at = number(plain, at)
            yield offset, plain[at:at + size]
            at += size
        elif kind not in (0, 1):
            return


def client_hello(datagrams):
    """the handshake message that these datagrams carry, as a TLS record of its own"""
    said = {}
    for data in datagrams:
        try:
            if is_initial(data):
                said.update(crypto_frames(open_initial(data)))
        except IndexError:
            continue
    hello = b""
    for offset in sorted(said):
        if offset <= len(hello):
            hello = hello[:offset] + said[offset]
    return b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello
