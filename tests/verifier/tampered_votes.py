"""Changes of votes, and of what rests on them, that only the rules about votes find."""

from forged import KEYS, OTHER, at, dropped, sign
from sealed import hashed_json

ASKED_MS, DECIDED_MS = 1_767_225_601_000, 1_767_225_601_500


def holder(name):
    return {"key": KEYS[name].verify_key.encode().hex(), "name": name}


def signed(path, value, by="approver"):
    """A change of what was voted, signed again."""

    def change(body):
        at(path, value)(body["statement"])
        body["signature"] = sign(by, "vote", hashed_json("statement", body["statement"]))

    return change


def bare(body):
    del body["signature"], body["statement"]["approver"]


def ended(outcome):
    """An outcome that no votes decided."""

    def change(body):
        body["outcome"] = outcome
        del body["votes"]

    return change


def left_out(kind, number, also=lambda forged: None):
    """Leaves an entry out so that only what others say shows that it was there."""

    def change(forged):
        forged.entries.remove(forged.of_kind(kind, number))
        forged.follow()
        also(forged)

    return change


def again(kind, number, after, first=lambda body: None):
    """Puts an entry in once more, behind another; `first` changes its record before."""

    def change(forged):
        copied, before = forged.of_kind(kind, number), forged.of_kind(*after)
        first(copied["body"])
        header = dict(copied["header"], time=before["header"]["time"])
        forged.entries.insert(forged.entries.index(before) + 1, {**copied, "header": header, "old": OTHER})
        forged.follow()

    return change


def of_another_tool(forged):
    evidence = forged.of_kind(8, 4)["body"]["refused"]["decision"]["approvals"]
    forged.of_kind(8, 5)["body"]["refused"]["decision"]["approvals"] = evidence


def denied_by_nobody(forged):
    forged.of_kind(8, 4)["body"]["refused"]["decision"].pop("approvals")


def decided_by_one(forged):
    forged.of_kind(11)["body"]["votes"].pop(0)


# As in `tamper.CHANGES`.
VOTES = [
    (9, 0, at("expires_at_ms", ASKED_MS), "lapsed"),
    (9, 0, at("expires_at_ms", DECIDED_MS), "what the votes come to"),
    (9, 0, at("proposal.decision.trace.fired", [1]), "another decision"),
    (9, 0, at("proposal.decision.status.suspended.channel", "other"), "nobody is named"),
    (10, 0, at("pending", OTHER), "does not wait"),
    (10, 0, signed("decision", OTHER), "another decision"),
    (10, 0, signed("proposal", OTHER), "another proposal"),
    (10, 0, signed("policy_set", OTHER), "another policy_set"),
    (10, 0, signed("roster", OTHER), "another roster"),
    (10, 2, at("statement.decision", OTHER), "another decision"),
    (10, 2, at("statement.proposal", OTHER), "another proposal"),
    (10, 2, at("statement.policy_set", OTHER), "another policy_set"),
    (10, 2, lambda body: body["statement"].pop("roster"), "another roster"),
    (10, 0, signed("expires_at_ms", ASKED_MS), "lapsed"),
    (10, 0, signed("expires_at_ms", DECIDED_MS), "what the votes come to"),
    (10, 2, at("statement.expires_at_ms", 0), "lapsed"),
    (10, 0, signed("approver", holder("runtime"), by="runtime"), "may not approve"),
    (10, 0, signed("approver", holder("operator")), "of a vote"),
    (10, 1, signed("approver", holder("approver")), "twice"),
    (10, 0, at("signature", "ab" * 64), "of a vote"),
    (10, 0, dropped("signature"), "no signature"),
    (10, 2, at("signature", "ab" * 64), "no approver"),
    (10, 0, bare, "a bare yes"),
    (10, 0, at("statement.approve", False), "of a vote"),
    (10, 0, signed("approve", False), "outcome"),
    (10, 2, at("statement.approve", True), "outcome"),
    (11, 0, at("pending", OTHER), "does not wait"),
    (11, 0, at("outcome", "denied"), "outcome"),
    (11, 0, dropped("votes"), "outcome"),
    (11, 0, at("votes", lambda votes: votes[:1]), "outcome"),
    (11, 0, at("votes", lambda votes: votes[::-1]), "outcome"),
    (11, 0, at("released", {"tool_calls": 1}), "outcome"),
    (11, 0, ended("expired"), "outcome"),
    (11, 0, ended("withdrawn"), "withdrawn"),
    (11, 0, at("outcome", "withdrawn"), "outcome"),
    (11, 1, at("outcome", "approved"), "outcome"),
    (11, 1, dropped("votes"), "outcome"),
    (11, 1, ended("expired"), "outcome"),
    (11, 1, ended("withdrawn"), "withdrawn"),
    (5, 0, lambda body: body["proposal"]["decision"].pop("approvals"), "what the votes come to"),
    (5, 0, at("proposal.decision.approvals.0.quorum", 1), "what the votes come to"),
    (5, 0, at("proposal.decision.approvals.0.approved", lambda keys: keys[:1]), "what the votes come to"),
    (5, 0, at("proposal.decision.approvals.0.approved", lambda keys: keys[::-1]), "what the votes come to"),
    (5, 0, at("proposal.decision.approvals", lambda given: given * 2), "not on record"),
    (8, 4, at("refused.decision.approvals.0.quorum", 2), "not on record"),
    (8, 4, at("refused.decision.approvals", lambda given: given * 2), "not on record"),
]
# Changes of more than one record, and a word of the reason.
WHOLE = [
    (left_out(9, 0), "does not wait"),
    (left_out(10, 0), "outcome"),
    (left_out(10, 0, also=decided_by_one), "outcome"),
    (left_out(10, 2), "outcome"),
    (left_out(11, 0), "before it was approved"),
    (left_out(11, 1), "not on record"),
    (left_out(11, 1, also=denied_by_nobody), "still waits"),
    (again(10, 0, after=(10, 0)), "twice"),
    (again(10, 2, after=(10, 2), first=at("statement.approve", True)), "twice"),
    (again(10, 1, after=(11, 0)), "was approved"),
    (again(10, 1, after=(5, 0)), "does not wait"),
    (again(11, 0, after=(11, 0)), "outcome"),
    (of_another_tool, "not on record"),
]
