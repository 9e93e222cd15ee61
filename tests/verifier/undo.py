"""Undoing what a run did: the effects that were not undone, and the writs that were presented for it."""

from sealed import MAX_INTEGER, ZERO, Refused, hashed, hashed_json, verifies
from writs import check_chain


def total(base, effects):
    for effect in effects:
        undo = effect.get("undo", {"args": ZERO, "tool": ""})
        parts = (base, effect["entry"], undo["args"])
        before, entry, args = (bytes.fromhex(part) for part in parts)
        base = hashed("effects", before, effect["seq"].to_bytes(8, "big"), entry, args, undo["tool"].encode())
    return base


def add(amounts, more):
    for dimension, amount in more.items():
        amounts[dimension] = min(amounts.get(dimension, 0) + amount, MAX_INTEGER)


class Presented:
    """A chain that was presented: its budgets, what was spent under it, and what is held for steps by dispatch."""

    def __init__(self, chain):
        self.budgets = [link["writ"]["budget"] for link in chain]
        self.spent, self.held = {}, {}


class Undoing:
    def __init__(self):
        self.base, self.planned = ZERO, []
        self.presented, self.current = {}, None
        self.steps = {}

    def happened(self, entry, seq, undo=None):
        effect = {"entry": entry, "seq": seq} | ({"undo": undo} if undo else {})
        self.base, self.planned = total(total(self.base, self.planned), [effect]), []

    def present(self, body, store, trajectory, own, epoch):
        """Checks what is presented. Returns the issuer of the root writ."""
        statement, signed = body["statement"], body["chain"]
        writ = check_chain(signed)[-1]
        if (statement["store"], statement["trajectory"], statement["writ"]) != (store, trajectory, writ):
            raise Refused("undo", "of another store, run or writ")
        if writ == own[0] or signed[-1]["writ"]["tenant"] != own[1]:
            raise Refused("undo", "under the run's own writ, or one of another tenant")
        digest = hashed_json("statement", statement)
        if not verifies(signed[-1]["writ"]["subject"]["key"], "compensation", digest, body["signature"]):
            raise Refused("undo", "not signed by the writ's subject")
        epoch.need(signed[0]["writ"]["issuer"]["key"], "writ_issuer")
        if total(statement["base"], statement["plan"]) != total(self.base, self.planned):
            raise Refused("undo", "the plan is not what is left to be undone")
        self.base, self.planned = statement["base"], [effect for effect in statement["plan"] if "keep" not in effect]
        self.presented.setdefault(writ, Presented(signed))
        self.current = writ
        return signed[0]["writ"]["issuer"]["key"]

    def check_call(self, proposal, unsettled):
        """Checks that a proposal under a presented writ is the call that undoes the newest effect."""
        if self.current != proposal["writ"] or not self.planned:
            raise Refused("undo", "nothing is planned under its writ")
        newest, intent = self.planned[-1], proposal["intent"]
        if newest.get("undo") != {"args": intent["args"], "tool": intent["target"]}:
            raise Refused("undo", "another call than the recorded one")
        if any(seq > newest["seq"] for seq in unsettled.values()):
            raise Refused("undo", "an effect in doubt comes after what it undoes")

    def check_mark(self, writ, body):
        newest = self.planned[-1]["entry"] if writ in self.presented else None
        if body.get("compensates") != newest:
            raise Refused("undo", "does not say what it undoes, or says it under a writ that was not presented")

    def dispatched(self, dispatch, writ, held):
        if writ in self.presented:
            self.presented[writ].held[dispatch] = held
            self.steps[dispatch] = (writ, self.planned.pop())

    def over(self, dispatch, happened):
        effect = self.steps.pop(dispatch)[1]
        if not happened:
            self.happened(effect["entry"], effect["seq"], effect.get("undo"))
