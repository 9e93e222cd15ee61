#!/usr/bin/env python3
"""Checks every golden vector with the verifier's own code."""

import json
import pathlib
import sys

import shapes
from authority import State
from entries import Entry, read_header
from sealed import Refused, hashed, message, parse, seal, unseal, verifies
from world import World
from writs import check_chain, covers

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


def same(found, expected, what):
    if found != expected:
        raise SystemExit(f"{what}\n  golden {expected}\n  found  {found}")


def refusal(work, *args):
    try:
        work(*args)
    except Refused as refused:
        return refused.word
    return None


def canonical(vector):
    data = bytes.fromhex(vector["input_hex"]) if "input_hex" in vector else vector["input"].encode()
    if "refused" in vector:
        same(refusal(parse, data), vector["refused"], vector)
    else:
        same(seal(parse(data)).decode(), vector["sealed"], vector)


def hashes(vector):
    same(vector["context"][:19], "openthymos 2026 v1 ", vector)
    same(hashed(vector["context"][19:], bytes.fromhex(vector["input_hex"])), vector["hash"], vector)


def blobs(vector):
    same(Entry.commit_to(vector), vector["commitment"], vector)


def keys(vector):
    import nacl.signing

    same(nacl.signing.SigningKey(bytes.fromhex(vector["seed"])).verify_key.encode().hex(), vector["public_key"], vector)
    same(hashed("key", bytes.fromhex(vector["public_key"])), vector["key_id"], vector)


def signatures(vector):
    same(message(vector["purpose"], vector["digest"]).hex(), vector["message"], vector)
    valid = verifies(vector["public_key"], vector["purpose"], vector["digest"], vector["signature"])
    same(valid, vector["valid"], vector)


def headers(vector):
    data = bytes.fromhex(vector["bytes"])
    if "refused" in vector:
        same(refusal(read_header, data), "header", vector)
        return
    header = read_header(data)
    for name, value in header.items():
        if name != "format":
            same(str(value), str(vector["time_ms" if name == "time" else name]), f"{name} of {vector}")
    same(hashed("entry", data), vector["id"], vector)


def entries(vector):
    shapes.line(vector["line"], "")
    entry = Entry(vector["line"]["entry"])
    entry.check()
    same(entry.id, vector["id"], vector)
    same(shapes.KINDS[vector["code"]][0], vector["kind"], vector)
    runtime = json.loads((GOLDEN / "keys.json").read_text())[2]
    entry.check_signature(runtime["public_key"])
    if entry.kind in (67, 68, 69):
        operator = json.loads((GOLDEN / "keys.json").read_text())[0]["public_key"]
        state = State()
        state.roles = {(operator, "writ_issuer"), (operator, "policy_issuer")}
        state.apply(entry)


def ids(vector):
    data = vector["json"].encode()
    unseal(data)
    same(hashed(vector["context"][19:], data), vector["id"], vector)


def writs(vector):
    shapes.chain(vector["chain"], "")
    if "refused" in vector:
        same(refusal(check_chain, vector["chain"]), vector["refused"], vector["case"])
    else:
        same(check_chain(vector["chain"]), vector["ids"], vector["case"])


def patterns(every):
    tools = every[-1]
    for name, valid in zip(tools["tools"], tools["names"]):
        same(refusal(shapes.tool, name, "") is None, valid, name)
    names = [name for name, valid in zip(tools["tools"], tools["names"]) if valid]
    texts = [vector["pattern"] for vector in every[:-1] if "refused" not in vector]
    for vector in every[:-1]:
        same(refusal(shapes.pattern, vector["pattern"], "") is not None, "refused" in vector, vector)
        if "refused" not in vector:
            # A name has no wildcard, so what covers it as a pattern matches it.
            same([name for name in names if covers(vector["pattern"], name)], vector["matches"], vector)
            same([text for text in texts if covers(vector["pattern"], text)], vector["covers"], vector)


def worlds(sequence):
    world = World()
    for step in sequence:
        same(refusal(world.apply, step["delta"]) is None, step["applies"], step)
        same(world.root(), step["root"], step)


def main():
    each = {"canonical": canonical, "hashes": hashes, "blobs": blobs, "keys": keys, "signatures": signatures,
            "headers": headers, "entries": entries, "ids": ids, "writs": writs, "worlds": worlds}
    files = {path.stem for path in GOLDEN.glob("*.json")}
    same(files, {*each, "patterns"}, "the golden files")
    for name, check in each.items():
        vectors = json.loads((GOLDEN / f"{name}.json").read_text())
        for vector in vectors:
            check(vector)
        print(f"{name}: {len(vectors)} vectors hold")
    vectors = json.loads((GOLDEN / "patterns.json").read_text())
    patterns(vectors)
    print(f"patterns: {len(vectors)} vectors hold")


if __name__ == "__main__":
    sys.exit(main())
