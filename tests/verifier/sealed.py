"""Sealed JSON, hashes and signatures: the sections of docs/ledger-format.md up to the entries."""

import functools
import json
import re
from decimal import Decimal

import nacl.bindings
import nacl.exceptions
from blake3 import blake3

MAX_DEPTH = 127
MAX_INTEGER = 2**53 - 1
ZERO = "0" * 64
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
SPACE = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Refused(Exception):
    """Bytes that are not of this format; `word` is that of the golden vectors, where there is one."""

    def __init__(self, word, detail=""):
        super().__init__(f"{word}: {detail}" if detail else word)
        self.word = word


def parse(data):
    """Reads sealed JSON, in whatever form it is written."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Outside of a string a byte beyond ASCII is no JSON in any case.
        raise Refused("bad_string" if b'"' in data[: error.start] else "not_json") from error
    value, at = read(text, skip(text, 0), 0)
    if skip(text, at) != len(text):
        raise Refused("not_json", "text after the value")
    return value


def skip(text, at):
    return SPACE.match(text, at).end()


def read(text, at, depth):
    first = text[at : at + 1]
    if first in ("{", "["):
        if depth == MAX_DEPTH:
            raise Refused("too_deep")
        return (read_object if first == "{" else read_array)(text, skip(text, at + 1), depth + 1)
    if first == '"':
        return read_string(text, at)
    for word, value in (("true", True), ("false", False), ("null", None)):
        if text.startswith(word, at):
            return value, at + len(word)
    return read_number(text, at)


def read_object(text, at, depth):
    members = {}
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise Refused("not_json", "expected a key")
        key, at = read_string(text, at)
        if key.startswith("$serde_json::private::"):
            raise Refused("reserved_key", key)
        if key in members:
            raise Refused("duplicate_key", key)
        at = skip(text, at)
        if text[at : at + 1] != ":":
            raise Refused("not_json", "expected `:`")
        members[key], at = read(text, skip(text, at + 1), depth)
        at = skip(text, at)
        if text[at : at + 1] == "}":
            return members, at + 1
        if text[at : at + 1] != ",":
            raise Refused("not_json", "expected `,` or `}`")
        at = skip(text, at + 1)


def read_array(text, at, depth):
    items = []
    if text[at : at + 1] == "]":
        return items, at + 1
    while True:
        item, at = read(text, at, depth)
        items.append(item)
        at = skip(text, at)
        if text[at : at + 1] == "]":
            return items, at + 1
        if text[at : at + 1] != ",":
            raise Refused("not_json", "expected `,` or `]`")
        at = skip(text, at + 1)


def read_string(text, at):
    found = STRING.match(text, at)
    try:
        value = json.loads(found.group())
        value.encode("utf-8")
    except (AttributeError, ValueError) as error:
        raise Refused("bad_string") from error
    return value, found.end()


def read_number(text, at):
    found = NUMBER.match(text, at)
    if not found:
        raise Refused("not_json", "expected a value")
    if found.group(1) or found.group(2):
        value = float(found.group())
    else:
        # Python limits the digits of integers that it reads; no number this long is in range.
        value = int(found.group()) if len(found.group()) < 40 else float("inf")
    if abs(value) > MAX_INTEGER:
        raise Refused("number_range", found.group()[:80])
    return value, found.end()


def seal(value):
    """Writes sealed JSON."""
    return write(value).encode("utf-8")


def write(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + "".join(ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, (int, float)):
        return write_number(value)
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(write(key) + ":" + write(value[key]) for key in keys) + "}"


def write_number(value):
    """ECMAScript's Number::toString, from the shortest digits, which `repr` finds too."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return ("-" if sign else "") + text


def unseal(data):
    """Reads bytes that have to be in the one form in which sealed JSON is written."""
    value = parse(data)
    if seal(value) != data:
        raise Refused("not_canonical")
    return value


def hashed(domain, *parts):
    return blake3(b"".join(parts), derive_key_context="openthymos 2026 v1 " + domain).hexdigest()


def hashed_json(domain, value):
    return hashed(domain, seal(value))


def message(purpose, digest):
    return b"openthymos v1 signature " + purpose.encode() + b"\0" + bytes.fromhex(digest)


@functools.lru_cache
def is_key(key):
    """Whether a key is a point of large order, canonically encoded."""
    return small_order_free(bytes.fromhex(key))


def small_order_free(point):
    # Eight times a point of small order is the identity, whose encoding is 1.
    y = int.from_bytes(point, "little") & (2**255 - 1)
    p = 2**255 - 19
    if y >= p:
        return False
    d = -121665 * pow(121666, -1, p) % p
    xx = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(xx, (p + 3) // 8, p)
    if x * x % p != xx:
        x = x * pow(2, (p - 1) // 4, p) % p
    if x * x % p != xx or (x == 0 and point[31] >> 7):
        return False
    for _ in range(3):
        product = d * x * x * y * y % p
        x, y = 2 * x * y * pow(1 + product, -1, p) % p, (y * y + x * x) * pow(1 - product, -1, p) % p
    return (x, y) != (0, 1)


def verifies(key, purpose, digest, signature):
    """Strict verification; libsodium refuses S beyond the group's order and points of small order."""
    if not is_key(key):
        return False
    try:
        nacl.bindings.crypto_sign_open(bytes.fromhex(signature) + message(purpose, digest), bytes.fromhex(key))
    except nacl.exceptions.BadSignatureError:
        return False
    return True
