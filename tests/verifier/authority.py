"""The authority trajectory: epochs, and what is trusted, revoked and in force in each."""

import copy

import shapes
from sealed import ZERO, Refused, hashed, hashed_json, verifies

OPEN_EPOCHS = (64, 65, 66, 67, 68, 69, 73)


class State:
    """What holds in an epoch."""

    def __init__(self):
        self.key, self.keys = None, ()
        self.reset, self.compromised = None, ()
        self.policy_set, self.roster = None, None
        self.roles = set()
        self.epoch, self.seq = ZERO, 0

    def need(self, key, role):
        if (key, role) not in self.roles:
            raise Refused("role", f"{key} is no {role}")

    def apply(self, entry):
        body = entry.body
        if entry.kind == 64 and body["runtime"]:
            self.key = body["runtime"]["key"]
            self.keys = (self.key,)
        elif entry.kind == 65:
            changed = {(body["root"]["key"], role) for role in body["roles"]}
            self.roles = self.roles | changed if body["change"] == "added" else self.roles - changed
        elif entry.kind == 66:
            self.rotate(body, entry)
        elif entry.kind == 67:
            by = body["statement"]["by"]["key"]
            self.need(by, "writ_issuer")
            check_statement(by, "revocation", body)
        elif entry.kind == 68:
            self.set_policies(body)
        elif entry.kind == 69:
            if hashed_json("roster", body["roster"]) != body["hash"]:
                raise Refused("roster", "not the one of the hash")
            for channel, quorum in body["roster"]["channels"].items():
                if not 1 <= quorum["required"] <= len({named["key"] for named in quorum["approvers"]}):
                    raise Refused("roster", f"the quorum of {channel} cannot be met")
            self.need(body["signed_by"], "policy_issuer")
            check_signed(body["signed_by"], "roster", body["hash"], body["signature"])
            self.roster = body
        elif entry.kind == 73:
            self.reset_clock(body, entry)
        self.epoch, self.seq = entry.id, entry.seq

    def reset_clock(self, body, entry):
        statement = body["statement"]
        if statement["store"] != entry.header["store"]:
            raise Refused("clock_reset", "meant for another store")
        self.need(statement["by"]["key"], "writ_issuer")
        check_statement(statement["by"]["key"], "clock reset", body)
        if statement["reading_ms"] >= statement["high_water_ms"] or entry.header["time"] != statement["reading_ms"]:
            raise Refused("clock_reset", "of a clock that is not behind, or with another time")
        self.reset = entry.seq

    def set_policies(self, body):
        if hashed_json("policy set", body["definition"]) != body["hash"]:
            raise Refused("policy_set", "not the one of the hash")
        for bundle in body["definition"]["bundles"]:
            if "signed" in bundle:
                signed = bundle["signed"]
                self.need(signed["issuer_pubkey"], "policy_issuer")
                digest = hashed_json("policy bundle", signed["policy"])
                check_signed(signed["issuer_pubkey"], "policy", digest, signed["signature"])
        self.policy_set = body["hash"]

    def rotate(self, body, entry):
        statement, by = body["statement"], body["signed_by"]
        old, new, role = statement["old"], statement["new"]["key"], statement["role"]
        compromise = "invalid_from" in statement
        if statement["store"] != entry.header["store"]:
            raise Refused("rotation", "meant for another store")
        check_statement(by, "rotation", body)
        if by != old or compromise:
            self.need(by, "writ_issuer")
        if new == old or new in [known["key"] for known in self.compromised]:
            raise Refused("rotation", "to a key that was replaced")
        if role != "runtime":
            self.need(old, role)
            self.roles = self.roles - {(old, role)} | {(new, role)}
        elif old == self.key:
            if new in self.keys:
                raise Refused("rotation", "to a key that was replaced")
            self.key, self.keys = new, (*self.keys, new)
            if (old, role) in self.roles:
                self.roles = self.roles - {(old, role)} | {(new, role)}
        elif old not in self.keys or not compromise or new != self.key:
            raise Refused("rotation", "the old key is not in use")
        if compromise and role == "runtime":
            self.roles, self.policy_set, self.roster = set(), None, None
        if compromise:
            self.compromise(old, new, statement["invalid_from"])

    def compromise(self, old, new, position):
        for known in self.compromised:
            if known["key"] == old:
                lowered = dict(known, position=min(known["position"], position))
                self.compromised = tuple(lowered if other is known else other for other in self.compromised)
                return
        self.compromised = (*self.compromised, {"key": old, "successor": new, "position": position})


def check_signed(key, purpose, digest, signature):
    if not verifies(key, purpose, digest, signature):
        raise Refused("signature", f"of a {purpose} does not verify")


def check_statement(key, purpose, body):
    check_signed(key, purpose, hashed_json("statement", body["statement"]), body["signature"])


def sealed_by_the_new_key(entry):
    if entry.kind != 66:
        return False
    return entry.body["statement"]["role"] == "runtime" and entry.body["signed_by"] != entry.body["statement"]["old"]


def begins_anew(entry):
    """After it nothing holds that was said before, but what is revoked."""
    statement = entry.body["statement"] if entry.kind == 66 else {}
    return statement.get("role") == "runtime" and "invalid_from" in statement


def speak_for(entry):
    """The ids of the keys that sign an entry or a statement in it."""
    body, keys = entry.body, []
    if entry.kind in (66, 69):
        keys = [body["signed_by"]]
    elif entry.kind in (67, 73):
        keys = [body["statement"]["by"]["key"]]
    elif entry.kind == 68:
        keys = [bundle["signed"]["issuer_pubkey"] for bundle in body["definition"]["bundles"] if "signed" in bundle]
    return {entry.header["signer"], *(key_id(key) for key in keys)}


def key_id(key):
    return hashed("key", bytes.fromhex(key))


class Authority:
    """The checked authority entries of a file."""

    def __init__(self):
        self.state = State()
        self.epochs = []
        self.contracts, self.opened = {}, {}
        self.incomplete = []
        self.store = self.trajectory = self.last = None
        self.changes = []

    def push(self, entry):
        header = entry.header
        if self.last is None:
            if entry.kind != 64 or entry.seq != 0:
                raise Refused("genesis", "a store begins with one")
            self.store = hashed("store", entry.line["record"].encode())
            self.trajectory = hashed("authority trajectory", bytes.fromhex(self.store))
        elif entry.kind == 64:
            raise Refused("genesis", "a second one")
        if header["store"] != self.store or header["trajectory"] != self.trajectory:
            raise Refused("trajectory", "of another store or trajectory")
        entry.check()
        before = (self.last.seq, self.last.id) if self.last else (-1, ZERO)
        if entry.seq <= before[0] or (entry.seq == before[0] + 1 and header["parent"] != before[1]):
            raise Refused("order", "seq or parent does not follow")
        if (header["authority"], header["base_seq"]) != (self.state.epoch, self.state.seq):
            raise Refused("epoch", "does not continue the last one")
        if self.last is not None and header["time"] < self.last.header["time"] and entry.kind != 73:
            raise Refused("time", "goes back without a reset of the clock")
        signing = self.state
        if entry.kind in OPEN_EPOCHS:
            self.state = copy.copy(self.state)
            self.state.apply(entry)
            self.epochs.append(self.state)
            self.changes.append(entry)
        entry.check_signature((self.state if entry.kind == 64 or sealed_by_the_new_key(entry) else signing).key)
        if entry.kind not in shapes.KINDS:
            self.incomplete.append(f"{entry} is of an unknown kind")
        if entry.kind == 70:
            if hashed_json("contract", entry.body["definition"]) != entry.body["hash"]:
                raise Refused("contract", "not the one of the hash")
            self.contracts[entry.body["hash"]] = entry.body["definition"]
        elif entry.kind == 71:
            self.opened[entry.body["trajectory"]] = entry.body["writ"]
        self.last = entry
