#!/usr/bin/env python3
"""Changes a golden export in many ways, and expects each to be refused.

First without any key: single bytes, and lines dropped, swapped, doubled and cut. Then as somebody who holds the runtime's
key, and makes every hash, link and signature right again: what is left to refuse then is what the entries say.
"""

import random
import sys

from forged import GOLDEN, OTHER, Forged, another_skill, at, dropped
from sealed import hashed
import tampered_children
from tampered_votes import VOTES, WHOLE
from verify import Fault, verify


def refused(data, case):
    try:
        verify(data)
    except Fault as fault:
        return str(fault)
    raise SystemExit(f"verified, and should not: {case}")


def without_a_key(data, positions):
    count = 0
    chance = random.Random(1)
    for at in range(0, len(data), max(1, len(data) // positions)):
        for byte in (data[at] ^ 1, data[at] ^ 0x80, chance.randrange(256)):
            if byte != data[at]:
                refused(data[:at] + bytes([byte]) + data[at + 1 :], f"byte {at} as {byte}")
                count += 1
    lines = data.splitlines(keepends=True)
    for at in range(len(lines)):
        refused(b"".join(lines[:at] + lines[at + 1 :]), f"line {at + 1} dropped")
        refused(b"".join(lines[: at + 1] + lines[at:]), f"line {at + 1} doubled")
        refused(b"".join(lines[:at]), f"cut before line {at + 1}")
        refused(b"".join(lines[:at]) + lines[at][:-1], f"cut in line {at + 1}")
        refused(b"".join(lines[:at] + [b" " + lines[at]] + lines[at + 1 :]), f"a space before line {at + 1}")
        count += 5
        if at + 1 < len(lines):
            refused(b"".join(lines[:at] + [lines[at + 1], lines[at]] + lines[at + 2 :]), f"line {at + 1} swapped")
            count += 1
    refused(data + b"\n", "an empty line at the end")
    refused(data + lines[-1], "a second head")
    return count + 2


# Kind, which of that kind, the change of its record, and a word of the reason.
CHANGES = [
    (64, 0, at("software", "other"), ""),
    (65, 0, at("roles", ["approver"]), "writ_issuer"),
    (65, 1, at("roles", ["approver"]), "policy_issuer"),
    (65, 0, at("change", "removed"), "writ_issuer"),
    (68, 0, at("hash", OTHER), "policy_set"),
    (68, 0, at("definition.bundles.0.signed.policy.version", "2"), "policy_set"),
    (70, 0, at("definition.risk", "medium"), "contract"),
    (70, 1, at("definition.touches", "world"), "contract"),
    (71, 0, at("writ", OTHER), "opening"),
    (71, 0, at("trajectory", OTHER), "opening"),
    (1, 0, at("start.task", OTHER), "not named"),
    (1, 0, at("start.nonce", "ab" * 16), "start"),
    (1, 0, at("signature", "ab" * 64), "subject"),
    (1, 0, at("chain.0.writ.budget.tokens", 20_000), "signature"),
    (1, 0, at("chain.1.writ.budget.tokens", 20_000), "budget"),
    (1, 0, at("chain.1.writ.tenant", "other"), "tenant"),
    (1, 0, at("chain.1.writ.budget.tokens", 9_999), "signature"),
    (1, 0, at("chain", lambda chain: chain[1:]), "parent"),
    (1, 0, at("chain", lambda chain: chain[:1]), "start"),
    (4, 0, at("start", OTHER), "turn"),
    (5, 0, at("proposal.decision.status", {"suspended": {"channel": "a", "reason": "b"}}), "status"),
    (5, 0, at("proposal.intent.author", "other"), "proposal"),
    (5, 0, at("proposal.intent.target", "kv_set"), "contract"),
    (5, 0, at("proposal.resolved.contract", OTHER), "contract"),
    (5, 0, at("proposal.resolved.id", OTHER), "proposal"),
    (5, 0, at("proposal.writ", OTHER), "writ"),
    (5, 0, dropped("reserved"), "shape"),
    (5, 0, at("reserved", {"tokens": 0}), "zero"),
    (6, 0, at("world_root", OTHER), "world_root"),
    (6, 0, at("delta", []), "not named"),
    (6, 0, at("delta.0.create.resource.id", "other"), "world_root"),
    (6, 3, at("delta.0.replace.version", 2), "delta"),
    (6, 4, at("origin.dispatch", OTHER), "dispatch"),
    (6, 5, at("delta.0.delete.resource.kind", "other"), "delta"),
    (7, 0, at("cause", "bored"), "shape"),
    (7, 0, at("observation", None), "shape"),
    (8, 0, at("refused.decision.status", "staged"), "status"),
    (9, 0, at("proposal.decision.status", "staged"), "status"),
    (16, 0, at("definition.budget.tool_calls", 2), "skill"),
    (16, 0, at("definition.version", 0), "shape"),
    (16, 0, at("definition.name", "../payments"), "shape"),
    (16, 0, at("hash", OTHER), "skill"),
    (16, 0, another_skill("tools", ["pay"]), "staged beyond"),
    (16, 0, another_skill("effect_ceiling", "read"), "staged beyond"),
    (16, 0, another_skill("budget", {"tool_calls": 0}), "left of tool_calls"),
    (16, 0, another_skill("budget", {"wall_clock_ms": 1}), "left of wall_clock_ms"),
    (17, 0, at("turn", OTHER), "routing"),
    (17, 0, at("status", "ok"), "shape"),
    (20, 0, at("in_doubt", []), "shape"),
    (20, 0, at("turn", OTHER), "turn"),
    (5, 0, at("reserved", {"tool_calls": 2}), "reserved"),
    (5, 0, at("proposal.decision.now_ms", 2**53 - 1), "decided after"),
    (5, 0, at("proposal.decision.policy_set", OTHER), "in force"),
    (5, 0, at("proposal.decision.balances", lambda balances: balances[:1]), "balances"),
    (5, 0, at("proposal.decision.balances.0.tool_calls", lambda calls: calls + 10_000), "balances"),
    (5, 0, at("proposal.decision.balances.0", {}), "balances"),
    (6, 0, at("cost", {"tool_calls": 1_000}), "quoted"),
    (6, 0, at("cost", {}), "spent"),
    (20, 0, at("debited", {"tool_calls": 9}), "left open"),
    (20, 0, at("in_doubt", [OTHER]), "left open"),
    (21, 0, at("spent.tokens", 1), "spent"),
    (21, 0, at("reason", "bored"), "shape"),
]


def with_the_runtimes_key(data, changes, whole):
    count = 0

    def expect(change, word, case):
        nonlocal count
        forged = Forged(data)
        change(forged)
        reason = refused(forged.bytes(), case)
        if word not in reason:
            raise SystemExit(f"{case}: expected a reason with `{word}`, found: {reason}")
        count += 1

    if Forged(data).bytes() != data:
        raise SystemExit("taken apart and put together again, the export is another")
    for kind, number, change, word in changes:
        expect(lambda forged: change(forged.of_kind(kind, number)["body"]), word, f"kind {kind}, number {number}, {word}")
    for number, (change, word) in enumerate(whole):
        expect(change, word, f"number {number} of the changes of the whole, {word}")
    entries = Forged(data).entries
    for index, entry in enumerate(entries):
        header, kind = entry["header"], entry["header"]["kind"]
        for field, value in (("seq", 99), ("parent", OTHER), ("authority", OTHER), ("base_seq", 99), ("store", OTHER),
                             ("trajectory", OTHER), ("signer", OTHER), ("blobs", 9), ("format", 2), ("time", 0)):
            # After a gap any seq and parent will do: the authority's entries that the run does not refer to are left out.
            if field in ("seq", "parent") and kind == 71 or field == "time" and header["seq"] == 0:
                continue
            change = lambda forged: forged.entries[index]["header"].update({field: value})
            expect(change, "", f"{field} of entry {index}, kind {kind}")
        # Without its end a run is one that has not ended: only what was kept elsewhere tells.
        if kind < 64 and index + 1 < len(entries):
            expect(lambda forged: forged.entries.pop(index), "", f"entry {index} left out, kind {kind}")
        if entry["blobs"]:
            expect(lambda forged: forged.entries[index]["blobs"].pop(), "blobs", f"a value of entry {index} left out")
            commitment = hashed("blob", bytes.fromhex(entry["blobs"][0]["salt"]), entry["blobs"][0]["text"].encode())
            erase = lambda forged: forged.entries[index]["blobs"].__setitem__(0, {"erased": commitment})
            expect(erase, "erasure", f"a value of entry {index} erased by nobody")
    return count


def incomplete(data):
    """An unknown kind is checked as far as can be, and makes the whole incomplete."""
    forged = Forged(data)
    forged.of_kind(20)["header"]["kind"] = 40
    forged.of_kind(40)["body"] = {"anything": True}
    _, run = verify(forged.bytes())
    of_the_authority = Forged(data)
    of_the_authority.of_kind(71)["header"]["seq"] = 99
    known = of_the_authority.of_kind(70)
    unknown = {**known, "header": {**known["header"], "kind": 900, "seq": 98}, "body": {}, "old": OTHER}
    of_the_authority.entries.insert(of_the_authority.entries.index(of_the_authority.of_kind(71)), unknown)
    of_the_authority.of_kind(71)["header"]["parent"] = OTHER
    _, another = verify(of_the_authority.bytes())
    if not run.incomplete or not another.incomplete:
        raise SystemExit("an unknown kind was taken for verified")


def replaced_keys():
    """A run over rotations and a reset is verified, and one that a compromised key signed is not."""
    _, run = verify((GOLDEN / "rotated.ndjson").read_bytes())
    if run.incomplete:
        raise SystemExit(f"over rotations and a reset: {run.incomplete}")
    _, run = verify((GOLDEN / "compromised.ndjson").read_bytes())
    if len(run.incomplete) != 1 or "entries from 2 on" not in run.incomplete[0]:
        raise SystemExit(f"a compromised key was believed: {run.incomplete}")


def main():
    whole_run = data = (GOLDEN / "export.ndjson").read_bytes()
    print(f"{without_a_key(data, 300)} changes without a key are refused")
    print(f"{with_the_runtimes_key(data, CHANGES + VOTES, WHOLE)} changes by a holder of the runtime's key are refused")
    data = (GOLDEN / "delegated.ndjson").read_bytes()
    print(f"{without_a_key(data, 100)} changes of a run that delegates are refused without a key")
    count = with_the_runtimes_key(data, tampered_children.CHANGES, tampered_children.WHOLE)
    print(f"{count} changes of it by a holder of the runtime's key are refused")
    incomplete(whole_run)
    print("an unknown kind makes a verification incomplete")
    replaced_keys()
    print("keys that were replaced sign what they may, and what a compromised key signed is incomplete")


if __name__ == "__main__":
    sys.exit(main())
