"""The authority trajectory: epochs, and what is trusted, revoked and in force in each."""

import copy

import shapes
from sealed import ZERO, Refused, hashed, hashed_json, verifies

OPEN_EPOCHS = range(64, 70)


class State:
    """What holds in an epoch."""

    def __init__(self):
        self.key = None
        self.policy_set = None
        self.roles = set()
        self.epoch, self.seq = ZERO, 0

    def need(self, key, role):
        if (key, role) not in self.roles:
            raise Refused("role", f"{key} is no {role}")

    def apply(self, entry):
        body = entry.body
        if entry.kind == 64 and body["runtime"]:
            self.key = body["runtime"]["key"]
        elif entry.kind == 65:
            changed = {(body["root"]["key"], role) for role in body["roles"]}
            self.roles = self.roles | changed if body["change"] == "added" else self.roles - changed
        elif entry.kind == 66:
            self.rotate(body, entry.header["store"])
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
        self.epoch, self.seq = entry.id, entry.seq

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

    def rotate(self, body, store):
        statement, by = body["statement"], body["signed_by"]
        if statement["store"] != store:
            raise Refused("rotation", "meant for another store")
        check_statement(by, "rotation", body)
        if by != statement["old"] or "invalid_from" in statement:
            self.need(by, "writ_issuer")
        if statement["role"] == "runtime":
            if statement["old"] != self.key:
                raise Refused("rotation", "the old key is not in use")
            self.key = statement["new"]["key"]
        else:
            self.need(statement["old"], statement["role"])
            self.roles = self.roles - {(statement["old"], statement["role"])} | {(statement["new"]["key"], statement["role"])}


def check_signed(key, purpose, digest, signature):
    if not verifies(key, purpose, digest, signature):
        raise Refused("signature", f"of a {purpose} does not verify")


def check_statement(key, purpose, body):
    check_signed(key, purpose, hashed_json("statement", body["statement"]), body["signature"])


class Authority:
    """The checked authority entries of a file."""

    def __init__(self):
        self.state = State()
        self.epochs = []
        self.contracts, self.opened = {}, {}
        self.incomplete = []
        self.store = self.trajectory = self.last = None

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
        signing = self.state
        if entry.kind in OPEN_EPOCHS:
            self.state = copy.copy(self.state)
            self.state.apply(entry)
            self.epochs.append(self.state)
        entry.check_signature((self.state if entry.kind == 64 else signing).key)
        if entry.kind not in shapes.KINDS:
            self.incomplete.append(f"{entry} is of an unknown kind")
        if entry.kind == 70:
            if hashed_json("contract", entry.body["definition"]) != entry.body["hash"]:
                raise Refused("contract", "not the one of the hash")
            self.contracts[entry.body["hash"]] = entry.body["definition"]
        elif entry.kind == 71:
            self.opened[entry.body["trajectory"]] = entry.body["writ"]
        self.last = entry
