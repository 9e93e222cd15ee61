"""The entries of one run: links, authority, proposals, effects and outcomes, and the fold of commits."""

import shapes
from authority import begins_anew, key_id, speak_for
from children import Children
from sealed import MAX_INTEGER, ZERO, Refused, hashed_json, verifies
from undo import Undoing, add
from votes import Requests
from world import World
from writs import EFFECTS, check_chain, covers

AFTER_END = (5, 6, 7, 8, 9, 10, 11, 14, 15, 18, 19, 22)


class Run:
    def __init__(self, authority, trajectory):
        self.authority, self.trajectory = authority, trajectory
        self.at_epoch = 0
        self.next_seq, self.head = 0, ZERO
        self.base_seq, self.world, self.afloat = 0, World(), False
        self.writ = None
        self.dispatches, self.in_doubt = {}, set()
        self.dispatched, self.unsettled = set(), {}
        self.undoing, self.tenant = Undoing(), None
        self.turn, self.ended = None, False
        self.held = {}
        self.unanswered, self.resumed = [], None
        self.requests, self.voted = Requests(), {}
        self.children = Children()
        self.missing, self.incomplete = {}, list(authority.incomplete)
        self.budgets, self.spent = [], {}
        self.time, self.issuers = 0, []
        self.skills, self.after_turn = [], False
        self.signed, self.named = [], set()

    def push(self, entry):
        header = entry.header
        if header["store"] != self.authority.store or header["trajectory"] != self.trajectory:
            raise Refused("trajectory", "of another store or trajectory")
        if (entry.seq, header["parent"]) != (self.next_seq, self.head):
            raise Refused("order", f"expected seq {self.next_seq} after {self.head[:12]}")
        entry.check()
        before = self.authority.epochs[self.at_epoch].reset
        epoch = self.epoch(header["authority"])
        entry.check_signature(epoch.key)
        if header["time"] < self.time and epoch.reset == before:
            raise Refused("time", "goes back without a reset of the clock")
        self.time = header["time"]
        self.signed.append(header["signer"])
        self.named.add(epoch.seq)
        if header["base_seq"] != self.base_seq:
            raise Refused("base_seq", f"the last commit was {self.base_seq}")
        for commitment in entry.erased:
            self.missing[commitment] = entry
        self.fold(entry)
        self.after_turn = entry.kind == 4
        self.head, self.next_seq = entry.id, entry.seq + 1

    def epoch(self, wanted):
        epochs = self.authority.epochs
        while epochs[self.at_epoch].epoch != wanted:
            self.at_epoch += 1
            if self.at_epoch == len(epochs):
                raise Refused("epoch", "not there, or before that of the entry before")
        return epochs[self.at_epoch]

    def fold(self, entry):
        kind, body = entry.kind, entry.body
        if kind not in shapes.KINDS:
            self.incomplete.append(f"{entry} is of an unknown kind")
            return
        if kind >= 64 or (self.writ is None) != (kind in (1, 2)):
            raise Refused("place", "an entry of this kind does not belong here")
        if self.ended and kind not in AFTER_END:
            raise Refused("place", "after the end of the run")
        if self.requests.withdrawn and kind not in (11, 21):
            raise Refused("place", "after a request was withdrawn")
        if kind == 1:
            if "branch" in body["start"].get("from", {}):
                raise Refused("place", "a branch begins with an entry of its own kind")
            self.begin(body)
        elif kind == 2:
            self.begin(body["run"])
            self.afloat = True
            self.incomplete.append("the run is a branch, and its parent is not in the file")
        elif kind == 3:
            if self.turn is not None:
                raise Refused("turn", "one is open already")
            self.turn, self.held = entry.id, body["reserved"]
        elif kind == 4:
            if self.turn is None or self.turn != body["start"]:
                raise Refused("turn", "not the one that is open")
            self.turn, self.held = None, {}
            self.unanswered = list(body.get("intents", []))
            self.spend(body["usage"])
        elif kind == 5:
            self.called(body["proposal"])
            if body["proposal"]["decision"].get("quote", {}).get("cost") != body["reserved"]:
                raise Refused("reserved", "not what was quoted")
            if body["proposal"]["resolved"]["id"] in self.dispatched:
                raise Refused("dispatch", "of a proposal that was dispatched before")
            self.dispatched.add(body["proposal"]["resolved"]["id"])
            writ = body["proposal"]["writ"]
            self.undoing.check_mark(writ, body)
            self.undoing.dispatched(entry.id, writ, body["reserved"])
            self.dispatches[entry.id] = body["reserved"]
            self.unsettled[entry.id] = entry.seq
        elif kind == 6:
            self.check_cost(body)
            undoes = self.undoes(body["origin"])
            self.outcome(body["origin"], entry, False)
            if "proposal" in body["origin"]:
                self.undoing.check_mark(body["origin"]["proposal"]["writ"], body)
                if undoes:
                    self.undoing.planned.pop()
            elif undoes:
                if body.get("compensates") != self.undoing.steps[body["origin"]["dispatch"]][1]["entry"]:
                    raise Refused("undo", "not what its dispatch undoes")
                self.undoing.over(body["origin"]["dispatch"], True)
            elif "compensates" in body:
                raise Refused("undo", "its dispatch undoes nothing")
            if not undoes and ("dispatch" in body["origin"] or body["delta"] or "undo" in body):
                self.undoing.happened(entry.id, entry.seq, body.get("undo"))
            if "proposal" in body["origin"] and body["delta"]:
                contract = self.authority.contracts[body["origin"]["proposal"]["resolved"]["contract"]]
                if contract["effect"] == "read":
                    raise Refused("delta", "of a tool that changes nothing")
            if not self.afloat:
                self.world.apply(body["delta"])
                if self.world.root() != body["world_root"]:
                    raise Refused("world_root", f"is {self.world.root()}")
            self.base_seq = entry.seq
            self.spend(body["cost"], undoes)
        elif kind == 7:
            undoes = self.undoes(body["origin"])
            self.outcome(body["origin"], entry, body["effect"] == "unknown")
            self.spend(body["cost"], undoes)
            if undoes and "dispatch" in body["origin"] and body["effect"] != "unknown":
                self.undoing.over(body["origin"]["dispatch"], body["effect"] == "happened")
            elif not undoes and body["effect"] == "happened":
                self.undoing.happened(entry.id, entry.seq, body.get("undo"))
        elif kind == 8 and "refused" in body:
            self.proposal(body["refused"], "rejected")
        elif kind == 8 and self.ended:
            raise Refused("place", "after the end of the run")
        elif kind == 8 and "abandoned" in body:
            if body["abandoned"]["by"] != self.resumed or body["abandoned"]["intent"] not in self.unanswered:
                raise Refused("abandoned", "not without an outcome when the run was taken up")
            self.answered(body["abandoned"]["intent"])
        elif kind == 8:
            self.answered(body["not_attempted"]["intent"])
        elif kind == 9:
            self.requests.asked(entry, self.proposal(body["proposal"], "suspended"))
        elif kind == 10:
            self.requests.vote(entry, self.authority.epochs[self.at_epoch])
            if "approver" in body["statement"]:
                self.voted[entry.seq] = key_id(body["statement"]["approver"]["key"])
        elif kind == 11:
            self.requests.end(entry, self.authority.epochs[self.at_epoch])
        elif kind == 12:
            if "proposal" not in body["origin"]:
                raise Refused("child", "started without a proposal")
            self.proposal(body["origin"]["proposal"], "staged")
            self.children.delegated(entry, self.authority.store, self.trajectory)
            self.spend(body["origin"]["proposal"]["decision"]["quote"]["cost"])
        elif kind == 13:
            self.children.returned(body)
        elif kind == 14 and not self.undoing.presented:
            raise Refused("undo", "stopped, and had not begun")
        elif kind == 15:
            undoes = self.undoing.steps.get(body["dispatch"], (None,))[0]
            self.settle(body)
            self.spend(body["cost"], undoes)
            happened = body["verdict"] == "happened"
            if undoes:
                self.undoing.over(body["dispatch"], happened)
            elif happened:
                self.undoing.happened(entry.id, entry.seq)
        elif kind == 16:
            if hashed_json("skill", body["definition"]) != body["hash"]:
                raise Refused("skill", "the definition is not the one of its hash")
            before = dict(self.spent)
            add(before, self.children.granted)
            self.skills.append((body["definition"], before))
        elif kind == 17:
            if not self.after_turn or body["turn"] != self.head:
                raise Refused("routing", "of a turn that is not the entry before")
        elif kind == 18:
            for erased in body["blobs"]:
                self.missing.pop(erased["commitment"], None)
        elif kind == 20:
            if self.turn != body.get("turn"):
                raise Refused("turn", "not the one that is open")
            if body["debited"] != self.held or body.get("in_doubt", []) != list(self.unsettled):
                raise Refused("resumed", "not what was left open")
            self.turn, self.held = None, {}
            self.resumed = entry.id
            self.spend(body["debited"])
        elif kind == 21:
            if body["spent"] != self.spent:
                raise Refused("spent", f"the entries cost {self.spent}")
            self.requests.finish()
            self.children.finish()
            self.ended = True
        elif kind == 22:
            own, epoch = (self.writ, self.tenant), self.authority.epochs[self.at_epoch]
            issuer = self.undoing.present(body, self.authority.store, self.trajectory, own, epoch)
            self.issuers.append((issuer, entry.seq))

    def begin(self, body):
        start, signed = body["start"], body["chain"]
        ids = check_chain(signed)
        if hashed_json("trajectory", start) != self.trajectory:
            raise Refused("start", "not the one of the trajectory's id")
        if start["store"] != self.authority.store or start["writ"] != ids[-1]:
            raise Refused("start", "of another store or writ")
        if not verifies(signed[-1]["writ"]["subject"]["key"], "start", self.trajectory, body["signature"]):
            raise Refused("start", "not signed by the writ's subject")
        self.authority.epochs[self.at_epoch].need(signed[0]["writ"]["issuer"]["key"], "writ_issuer")
        if self.authority.opened.get(self.trajectory) != ids[-1]:
            raise Refused("start", "the run's opening is not recorded")
        self.writ, self.budgets = ids[-1], [link["writ"]["budget"] for link in signed]
        self.tenant = signed[-1]["writ"]["tenant"]
        self.issuers = [(signed[0]["writ"]["issuer"]["key"], 0)]

    def proposal(self, proposal, status):
        """Checks a proposal and its decision. Returns the request for approval that it waited on."""
        self.answered(proposal["intent"])
        found = proposal["decision"]["status"]
        if (found if isinstance(found, str) else next(iter(found))) != status:
            raise Refused("status", f"is not {status}")
        decision = proposal["decision"]
        if decision["now_ms"] > self.time:
            raise Refused("time", "decided after it was written")
        if decision["policy_set"] != self.authority.epochs[self.at_epoch].policy_set:
            raise Refused("policy_set", "was not in force")
        presented = self.undoing.presented.get(proposal["writ"])
        if presented:
            self.undoing.check_call(proposal, self.unsettled)
            self.check_balances(decision, status, presented.budgets, presented.spent, presented.held.values())
        else:
            if self.ended:
                raise Refused("place", "after the end of the run")
            self.check_balances(decision, status, self.budgets, self.spent, self.holds())
            if proposal["writ"] != self.writ:
                raise Refused("proposal", "under another writ")
        self.children.check_count(decision)
        if "resolved" in proposal:
            self.check_resolved(proposal)
        elif status == "staged":
            raise Refused("proposal", "staged and not resolved")
        if status == "staged" and not presented:
            self.check_skills(proposal)
        return self.requests.decided(proposal, self.authority.epochs[self.at_epoch])

    def called(self, proposal):
        """Only what is to call a tool reaches one."""
        self.proposal(proposal, "staged")
        if proposal["resolved"]["plan"] != "call":
            raise Refused("plan", "is not to call a tool")

    def check_resolved(self, proposal):
        resolved = proposal["resolved"]
        contract = self.authority.contracts.get(resolved["contract"])
        if contract is None or contract["name"] != proposal["intent"]["target"]:
            raise Refused("contract", "not in the file, or of another tool")
        if (contract["name"] == "delegate") != (resolved["plan"] != "call"):
            raise Refused("plan", "not the one of the contract")
        identity = {"contract": resolved["contract"], "intent": hashed_json("intent", proposal["intent"]),
                    "plan": resolved["plan"], "trajectory": self.trajectory, "writ": proposal["writ"]}
        if hashed_json("proposal", identity) != resolved["id"]:
            raise Refused("proposal", "the id is not that of its contents")

    def holds(self):
        """What is held for the run itself: not for steps that undo what it did."""
        steps = self.undoing.steps
        return [self.held, *(held for dispatch, held in self.dispatches.items() if dispatch not in steps)]

    def used(self, dimension):
        held = sum(held.get(dimension, 0) for held in self.holds())
        return self.spent.get(dimension, 0) + self.children.granted.get(dimension, 0) + held

    def check_skills(self, proposal):
        effect = EFFECTS.index(self.authority.contracts[proposal["resolved"]["contract"]]["effect"])
        for skill, before in self.skills:
            covered = any(covers(pattern, proposal["intent"]["target"]) for pattern in skill["tools"])
            if not covered or effect > EFFECTS.index(skill["effect_ceiling"]):
                raise Refused("skill", f"staged beyond what {skill['name']} allows")
            for dimension, amount in proposal["decision"].get("quote", {}).get("cost", {}).items():
                used = max(self.used(dimension) - before.get(dimension, 0), 0)
                if dimension in skill["budget"] and amount > max(skill["budget"][dimension] - used, 0):
                    raise Refused("skill", f"staged beyond what {skill['name']} has left of {dimension}")

    def check_balances(self, decision, status, budgets, spent, holds):
        if len(decision["balances"]) != len(budgets):
            raise Refused("balances", "not one for each writ")
        for budget, left in zip(budgets, decision["balances"]):
            for dimension, amount in left.items():
                used = spent.get(dimension, 0) + sum(held.get(dimension, 0) for held in holds)
                most = max(budget.get(dimension, 0) - (used if used < MAX_INTEGER else 0), 0)
                if amount > most:
                    raise Refused("balances", f"{amount} {dimension} left, where there were {most} at most")
            if status == "staged":
                for dimension, amount in decision.get("quote", {}).get("cost", {}).items():
                    if amount > left.get(dimension, 0):
                        raise Refused("balances", f"staged, and costs more {dimension} than is left")

    def check_cost(self, body):
        if "dispatch" in body["origin"]:
            cap = self.dispatches.get(body["origin"]["dispatch"])
        else:
            cap = body["origin"]["proposal"]["decision"].get("quote", {}).get("cost")
        for dimension, amount in body["cost"].items():
            if cap is not None and dimension != "wall_clock_ms" and amount > cap.get(dimension, 0):
                raise Refused("cost", f"more {dimension} than was quoted")

    def outcome(self, origin, entry, in_doubt):
        if "proposal" in origin:
            self.called(origin["proposal"])
            contract = self.authority.contracts[origin["proposal"]["resolved"]["contract"]]
            if contract["touches"] == "host" and contract["effect"] != "read":
                raise Refused("dispatch", "a host effect without one")
            return
        dispatch = origin["dispatch"]
        if dispatch not in self.dispatches:
            raise Refused("dispatch", "not there, or with an outcome already")
        del self.dispatches[dispatch]
        if in_doubt:
            self.in_doubt.add(dispatch)
        else:
            del self.unsettled[dispatch]
        self.release(dispatch)

    def undoes(self, origin):
        """The presented writ that an outcome is under, if any."""
        if "proposal" in origin:
            writ = origin["proposal"]["writ"]
            undoes = writ if writ in self.undoing.presented else None
        else:
            undoes = self.undoing.steps.get(origin["dispatch"], (None,))[0]
        if self.ended and not undoes:
            raise Refused("place", "after the end of the run")
        return undoes

    def release(self, dispatch):
        """What was held for a step of an undo is held no more."""
        if dispatch in self.undoing.steps:
            self.undoing.presented[self.undoing.steps[dispatch][0]].held.pop(dispatch, None)

    def spend(self, amounts, presented=None):
        add(self.undoing.presented[presented].spent if presented else self.spent, amounts)

    def answered(self, intent):
        if intent in self.unanswered:
            self.unanswered.remove(intent)

    def settle(self, body):
        dispatch = body["dispatch"]
        if dispatch in self.dispatches:
            held = self.dispatches.pop(dispatch)
            if body["verdict"] == "not_done":
                held = {name: amount for name, amount in held.items() if name == "tool_calls"}
        elif dispatch in self.in_doubt:
            self.in_doubt.remove(dispatch)
            held = {}
        else:
            raise Refused("dispatch", "not in doubt")
        del self.unsettled[dispatch]
        self.release(dispatch)
        if body["cost"] != held:
            raise Refused("cost", "not what was held for it")
        if "operator" in body:
            key = body["operator"]["key"]["key"]
            self.authority.epochs[self.at_epoch].need(key, "approver")
            statement = {"by": body["operator"]["key"], "dispatch": dispatch, "verdict": body["verdict"]}
            statement |= {"note": body["note"]} if "note" in body else {}
            if not verifies(key, "resolution", hashed_json("statement", statement), body["operator"]["signature"]):
                raise Refused("operator", "the signature does not verify")

    def distrust(self, invalid):
        """Finds what nothing vouches for: `invalid` is what the head says of compromised keys."""
        known = self.authority.state.compromised
        if [key["key"] for key in known] != [key["key"] for key in invalid]:
            raise Refused("head", "does not say from where on each compromised key is invalid")
        for compromised, found in zip(known, invalid):
            key, since = compromised["key"], f"key {compromised['key']}, invalid from position {compromised['position']}"
            first = found.get("run", self.next_seq)
            voted = [seq for seq, voter in self.voted.items() if voter == key_id(key) and seq >= first]
            if key_id(key) in self.signed[first:] or voted:
                self.incomplete.append(f"entries from {first} on are signed by {since}")
            for issuer, seq in self.issuers:
                if issuer == key and first <= seq:
                    self.incomplete.append(f"entry {seq} rests on a writ issued by {since}")
            for entry in self.authority.changes:
                if entry.seq < found.get("authority", entry.seq + 1) or key_id(key) not in speak_for(entry):
                    continue
                confirmed = entry.kind == 66 and (key, compromised["successor"]) == (
                    entry.body["statement"]["old"], entry.body["statement"]["new"]["key"])
                if not confirmed and self.rests_on(entry):
                    self.incomplete.append(f"authority {entry} is signed by {since}")

    def rests_on(self, entry):
        anew = [other.seq for other in self.authority.changes if other.seq > entry.seq and begins_anew(other)]
        return any(entry.seq <= seq < min(anew, default=seq + 1) for seq in self.named)

    def finish(self):
        if self.writ is None:
            raise Refused("run", "there is no entry")
        for commitment, entry in self.missing.items():
            raise Refused("erasure", f"{entry} lacks the value {commitment}, which no erasure names")
