"""An export taken apart, changed, and put together again by whoever holds the runtime's key."""

import json
import pathlib
import re

import nacl.signing

from entries import FIELDS, Entry, read_header
from sealed import ZERO, hashed, hashed_json, message, seal

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
KEYS = {key["name"]: nacl.signing.SigningKey(bytes.fromhex(key["seed"]))
        for key in json.loads((GOLDEN / "keys.json").read_text())}
OTHER = "ab" * 32


class Forged:
    def __init__(self, data):
        lines = [json.loads(line) for line in data.splitlines()]
        self.start, self.head = lines[0]["export"], lines[-1]["head"]
        self.entries = []
        for line in lines[1:-1]:
            line = line["entry"]
            header = read_header(bytes.fromhex(line["header"]))
            old = hashed("entry", bytes.fromhex(line["header"]))
            self.entries.append({"header": header, "body": json.loads(line["record"]), "blobs": line["blobs"], "old": old})

    def of_kind(self, kind, number=0):
        return [entry for entry in self.entries if entry["header"]["kind"] == kind][number]

    def follow(self):
        """Numbers and links the entries of the run anew, where one was left out or put in."""
        parent, commit = ZERO, 0
        run = [entry for entry in self.entries if entry["header"]["trajectory"] == self.start["trajectory"]]
        for seq, entry in enumerate(run):
            entry["header"].update(seq=seq, parent=parent, base_seq=commit)
            parent, commit = entry["old"], seq if entry["header"]["kind"] == 6 else commit

    def bytes(self):
        out = seal({"export": self.start}) + b"\n"
        renamed, last, length = {ZERO: ZERO}, ZERO, 0
        for entry in self.entries:
            # Whoever was renamed by a change before is called by the new name.
            text = re.sub("[0-9a-f]{64}", lambda found: renamed.get(found[0], found[0]), seal(entry["body"]).decode())
            names = [blob.get("erased") or Entry.commit_to(blob) for blob in entry["blobs"]]
            header = dict(entry["header"], record=hashed("record", text.encode(), *map(bytes.fromhex, names)))
            for name in ("parent", "authority"):
                header[name] = renamed.get(header[name], header[name])
            data = b"".join(
                bytes.fromhex(header[name]) if size == 32 else header[name].to_bytes(size, "big") for name, size in FIELDS
            )
            renamed[entry["old"]] = last = hashed("entry", data)
            length += header["trajectory"] == self.start["trajectory"]
            signature = sign("runtime", "entry", last)
            line = {"blobs": entry["blobs"], "header": data.hex(), "record": text, "signature": signature}
            out += seal({"entry": line}) + b"\n"
        statement = dict(self.head["statement"], digest=hashed("export", out), head=last, length=length)
        signature = sign("runtime", "export head", hashed_json("statement", statement))
        return out + seal({"head": dict(self.head, signature=signature, statement=statement)}) + b"\n"


def sign(name, purpose, digest):
    return KEYS[name].sign(message(purpose, digest)).signature.hex()


def at(path, value):
    """A change of one member."""

    def change(body):
        *steps, last = path.split(".")
        for step in steps:
            body = body[int(step) if step.isdecimal() else step]
        last = int(last) if last.isdecimal() else last
        body[last] = value(body[last]) if callable(value) else value

    return change


def another_skill(name, value):
    """Another definition, with the hash of it."""

    def change(body):
        body["definition"][name] = value
        body["hash"] = hashed_json("skill", body["definition"])

    return change


def dropped(name):
    return lambda body: body.pop(name)
