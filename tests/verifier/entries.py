"""Entries: the header, the record, the blobs, the signature."""

import shapes
from sealed import ZERO, Refused, hashed, unseal, verifies

FIELDS = (("format", 2), ("kind", 2), ("blobs", 4), ("store", 32), ("trajectory", 32), ("seq", 8), ("parent", 32),
          ("time", 8), ("signer", 32), ("authority", 32), ("base_seq", 8), ("record", 32))


def read_header(data):
    if len(data) != 224:
        raise Refused("header", f"{len(data)} bytes")
    header, at = {}, 0
    for name, size in FIELDS:
        part = data[at : at + size]
        header[name] = part.hex() if size == 32 else int.from_bytes(part, "big")
        at += size
    if header["format"] != 1:
        raise Refused("header", f"format {header['format']}")
    return header


class Entry:
    """An entry of a line; its parts belong together once `check` has passed."""

    def __init__(self, line):
        self.line = line
        data = bytes.fromhex(line["header"])
        self.header = read_header(data)
        self.id = hashed("entry", data)
        self.kind, self.seq = self.header["kind"], self.header["seq"]
        self.body, self.erased = None, []

    def __str__(self):
        name = shapes.KINDS[self.kind][0] if self.kind in shapes.KINDS else f"kind {self.kind}"
        return f"entry {self.seq} ({name}, {self.id[:12]})"

    def check(self):
        record = self.line["record"].encode()
        if len(record) > 1 << 20:
            raise Refused("record", "too large")
        names = [blob.get("erased") or self.commit_to(blob) for blob in self.line["blobs"]]
        if hashed("record", record, *map(bytes.fromhex, names)) != self.header["record"]:
            raise Refused("record", "it or a value beside it is not the one that the header names")
        self.body = unseal(record)
        if self.kind in shapes.KINDS:
            shapes.KINDS[self.kind][1](self.body, "")
        if len(self.line["blobs"]) > 8192:
            raise Refused("blobs", "too many")
        if len(self.line["blobs"]) != self.header["blobs"]:
            raise Refused("blobs", "more or fewer than the header says")
        if sum(len(blob.get("text", "").encode()) for blob in self.line["blobs"]) > 32 << 20:
            raise Refused("blobs", "too large together")
        last = -1
        for blob, commitment in zip(self.line["blobs"], names):
            place = record.find(f'"{commitment}"'.encode())
            if place <= last:
                raise Refused("blob", f"{commitment} is not named there")
            last = place
            if "erased" in blob:
                self.erased.append(commitment)

    @staticmethod
    def commit_to(blob):
        data = blob["text"].encode()
        if len(data) > 8 << 20:
            raise Refused("blob", "too large")
        unseal(data)
        return hashed("blob", bytes.fromhex(blob["salt"]), data)

    def check_signature(self, key):
        """`key` is the runtime's in force; none in an unsigned store."""
        signer, signature = self.header["signer"], self.line["signature"]
        if key is None:
            if signer != ZERO or signature is not None:
                raise Refused("signature", "in an unsigned store")
        elif signer != hashed("key", bytes.fromhex(key)):
            raise Refused("signature", "by a key that is not the runtime's")
        elif signature is None or not verifies(key, "entry", self.id, signature):
            raise Refused("signature", "does not verify")
