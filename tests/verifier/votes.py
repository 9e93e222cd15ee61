"""Votes on requests for approval: which count, what they come to, and what may rest on them."""

import math

from authority import check_statement, key_id
from sealed import ZERO, Refused, hashed_json


class Request:
    """A request that waits, with the votes on it; `before` are those on other channels that its proposal waited on."""

    def __init__(self, entry, earlier):
        self.id, self.expires = entry.id, entry.body.get("expires_at_ms", math.inf)
        self.proposal, self.decision = entry.body["proposal"], entry.body["proposal"]["decision"]
        self.channel = self.decision["status"]["suspended"]["channel"]
        before = [*earlier.before, earlier] if earlier else []
        self.before = [other for other in before if other.channel != self.channel]
        self.approved, self.votes = False, []

    def ballot(self, epoch):
        """The hash of the roster in force, how many have to approve, and the keys that may."""
        if "resolved" not in self.proposal:
            raise Refused("request", "of a proposal that is not resolved")
        stolen = {known["key"] for known in epoch.compromised}
        if epoch.roster is None:
            return None, 1, {key for key, role in epoch.roles if role == "approver"} - stolen
        quorum = epoch.roster["roster"]["channels"].get(self.channel)
        if quorum is None:
            raise Refused("request", f"nobody is named for {self.channel}")
        return epoch.roster["hash"], quorum["required"], {named["key"] for named in quorum["approvers"]} - stolen

    def voter(self, vote, epoch, time):
        """Who casts a vote, which has to count: the id of a key, or zero for whoever shows none."""
        roster, required, approvers = self.ballot(epoch)
        statement, approver = vote["statement"], vote["statement"].get("approver")
        bound = {"proposal": self.proposal["resolved"]["id"], "decision": hashed_json("decision", self.decision),
                 "policy_set": self.decision["policy_set"], "roster": roster}
        for name, value in bound.items():
            if statement.get(name) != value:
                raise Refused("vote", f"on another {name}")
        if min(self.expires, statement["expires_at_ms"]) <= time:
            raise Refused("vote", "it or its request has lapsed")
        if (approver is None) != ("signature" not in vote):
            raise Refused("vote", "an approver and no signature, or a signature and no approver")
        if approver is None:
            # Anybody may deny.
            if statement["approve"] and required != 1:
                raise Refused("vote", f"a bare yes, where {required} have to approve")
            return ZERO
        if approver["key"] not in approvers:
            raise Refused("vote", f"{approver['key']} may not approve on {self.channel}")
        check_statement(approver["key"], "vote", vote)
        return key_id(approver["key"])

    def counting(self, epoch, time):
        """The votes that count, as (entry, voter, whether it approves)."""
        found = [(entry, unless_refused(self.voter, vote, epoch, time), vote["statement"]["approve"])
                 for entry, vote in self.votes]
        return [vote for vote in found if vote[1]]

    def evidence(self, epoch, time):
        """What the votes come to, as a decision holds it."""
        roster, required, _ = self.ballot(epoch)
        votes = self.counting(epoch, time)
        approved, denied = ({voter for _, voter, approve in votes if approve == said} for said in (True, False))
        found = {"approved": sorted(approved - denied - {ZERO}), "channel": self.channel, "quorum": required}
        found |= {"denied": sorted(denied)} if denied else {}
        found |= {"operator_present": True} if ZERO in approved else {}
        return found | ({"roster": roster} if roster else {})

    def verdict(self, epoch, time):
        """The outcome that the votes come to, if any, and those that decide."""
        found = self.evidence(epoch, time)
        denied, present = "denied" in found, "operator_present" in found and found["quorum"] == 1
        if not denied and not present and len(found["approved"]) < found["quorum"]:
            return None, []
        deciding = [entry for entry, _, approve in self.counting(epoch, time) if approve != denied]
        return "denied" if denied else "approved", deciding


class Requests:
    """The requests of a run that wait, by entry, and what was denied, as (tool, evidence)."""

    def __init__(self):
        self.waiting, self.denied, self.withdrawn = {}, [], False

    def get(self, pending):
        if pending not in self.waiting:
            raise Refused("request", f"{pending[:12]} does not wait")
        return self.waiting[pending]

    def asked(self, entry, earlier):
        self.waiting[entry.id] = Request(entry, earlier)

    def vote(self, entry, epoch):
        vote, time = entry.body, entry.header["time"]
        request = self.get(vote["pending"])
        voter, said = request.voter(vote, epoch, time), request.evidence(epoch, time)
        if vote["statement"]["approve"]:
            if request.approved:
                raise Refused("vote", "for a request that was approved")
            if voter in said["approved"] or voter == ZERO and "operator_present" in said:
                raise Refused("vote", "the same approval twice")
        request.votes.append((entry.id, vote))

    def end(self, entry, epoch):
        body, time = entry.body, entry.header["time"]
        request, outcome, votes = self.get(body["pending"]), body["outcome"], body.get("votes", [])
        if outcome in ("approved", "denied"):
            again = request.approved and outcome == "approved"
            follows = not again and request.verdict(epoch, time) == (outcome, votes)
        else:
            follows = not votes and (outcome == "withdrawn" or not request.approved and request.expires <= time)
        if self.withdrawn and outcome != "withdrawn":
            raise Refused("place", "after a request was withdrawn")
        self.withdrawn = outcome == "withdrawn"
        if not follows or "released" in body:
            raise Refused("outcome", "not what the votes and the time come to")
        if outcome == "denied":
            self.denied.append((request.proposal["intent"]["target"], request.evidence(epoch, time)))
        request.approved = outcome == "approved"
        if not request.approved:
            del self.waiting[request.id]

    def decided(self, proposal, epoch):
        """Checks the votes that a decision rests on. Returns the request that its intent waited on."""
        intent, decision = proposal["intent"], proposal["decision"]
        given, own, found = decision.get("approvals", []), [], None
        for request in self.waiting.values():
            if request.proposal["intent"] == intent:
                if not request.approved:
                    raise Refused("request", "decided again before it was approved")
                if request.proposal["writ"] != proposal["writ"]:
                    raise Refused("approvals", "of a proposal under another writ")
                # On a channel that the roster does not have any more, nothing counts.
                counted = [unless_refused(each.evidence, epoch, decision["now_ms"]) for each in (*request.before, request)]
                found, own = request, [evidence for evidence in counted if evidence]
        if given[:len(own)] != own:
            raise Refused("approvals", "not what the votes come to")
        rest = given[len(own):]
        if rest and rest not in [[evidence] for tool, evidence in self.denied if tool == intent["target"]]:
            raise Refused("approvals", "of votes that are not on record")
        return found and self.waiting.pop(found.id)

    def finish(self):
        for pending in self.waiting:
            raise Refused("request", f"{pending[:12]} still waits")


def unless_refused(work, *args):
    try:
        return work(*args)
    except Refused:
        return None
