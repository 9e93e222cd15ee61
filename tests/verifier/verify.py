#!/usr/bin/env python3
"""Verifies an export of OpenThymos, from docs/ledger-format.md alone.

    verify.py FILE [--signer PUBLIC_KEY]

Exit 0: verified. 1: something does not hold, and the last line says what and where. 2: nothing was found wrong, and not
everything could be checked, or the file could not be read.
"""

import argparse
import sys

import shapes
from authority import Authority
from entries import Entry
from run import Run
from sealed import Refused, hashed, hashed_json, unseal, verifies

MAX_LINE = 2 * (33 << 20) + 64 * 8192 + (1 << 16)


class Fault(Exception):
    """What does not hold, and where."""


def located(where, work, *args):
    try:
        return work(*args)
    except Refused as error:
        raise Fault(f"{where}: {error}") from error


def read_line(data):
    value = unseal(data)
    shapes.line(value, "")
    return next(iter(value.items()))


def read_lines(data):
    """Every line as (number, form, content, offset)."""
    lines, offset = [], 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        number = len(lines) + 1
        if end < 0 or end + 1 - offset > MAX_LINE:
            raise Fault(f"line {number}: cut short, or too long")
        form, content = located(f"line {number}", read_line, data[offset:end])
        lines.append((number, form, content, offset))
        offset = end + 1
    return lines


def check_head(head, data, offset, start, authority, run):
    statement, newest = head["statement"], authority.state.key
    if (statement["store"], statement["trajectory"]) != (start["store"], start["trajectory"]):
        raise Refused("head", "of another run")
    if (statement["length"], statement["head"]) != (run.next_seq, run.head):
        raise Refused("head", f"says {statement['length']} entries ending in {statement['head'][:12]}")
    run.distrust(statement.get("invalid", []))
    if statement["digest"] != hashed("export", data[:offset]):
        raise Refused("head", "the digest is not that of the bytes before it")
    if head["signer"] != newest or (head["signature"] is None) != (newest is None):
        raise Refused("head", "not signed by the runtime's key")
    if newest and not verifies(newest, "export head", hashed_json("statement", statement), head["signature"]):
        raise Refused("head", "the signature does not verify")


def verify(data):
    """Verifies an export; returns its authority and run."""
    lines = read_lines(data)
    forms = [form for _, form, _, _ in lines]
    if len(forms) < 2 or forms[0] != "export" or forms[-1] != "head" or set(forms[1:-1]) - {"entry"}:
        raise Fault(f"the lines are not an export, entries and a head: {len(forms)} lines, the last a {forms[-1:]}")
    start = lines[0][2]
    if start["format"] != 1:
        raise Fault(f"line 1: export format {start['format']}")
    authority, run = Authority(), None
    for number, _, content, _ in lines[1:-1]:
        entry = located(f"line {number}", Entry, content)
        if run is None and entry.kind < 64:
            run = Run(authority, start["trajectory"])
            if authority.store != start["store"]:
                raise Fault("line 1: the authority entries are of another store")
        located(f"line {number}, {entry}", (run or authority).push, entry)
    if run is None:
        raise Fault("there is no entry of the run")
    located("the run", run.finish)
    number, _, head, offset = lines[-1]
    located(f"line {number}", check_head, head, data, offset, start, authority, run)
    return authority, run


def main():
    arguments = argparse.ArgumentParser(description="Verifies an export of OpenThymos.")
    arguments.add_argument("file")
    arguments.add_argument("--signer", help="the public key that has to have signed the end of the file")
    given = arguments.parse_args()
    try:
        with open(given.file, "rb") as file:
            data = file.read()
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        authority, run = verify(data)
        if given.signer and authority.state.key != given.signer:
            raise Fault(f"signed by {authority.state.key}, required {given.signer}")
    except Fault as fault:
        print(f"does not hold: {fault}")
        return 1
    signer = f"signer {authority.state.key}" if authority.state.key else "unsigned"
    pinned = "" if given.signer else " not pinned"
    verdict = "INCOMPLETE (" + "; ".join(run.incomplete) + ")" if run.incomplete else "consistent"
    print(f"{verdict} · {signer}{pinned} · {run.next_seq} entries · world root {run.world.root()}")
    return 2 if run.incomplete else 0


if __name__ == "__main__":
    sys.exit(main())
