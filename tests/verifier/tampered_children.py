"""Changes of what a run says of its children, that only the rules about children find."""

from forged import OTHER, at, dropped
from sealed import ZERO, hashed_json
from tampered_votes import again, left_out


def identified(change):
    """A change of a proposal in an origin, whose id is made right again."""

    def changed(forged, number=0):
        proposal = forged.of_kind(12, number)["body"]["origin"]["proposal"]
        change(proposal)
        resolved = proposal["resolved"]
        identity = {"contract": resolved["contract"], "intent": hashed_json("intent", proposal["intent"]),
                    "plan": resolved["plan"], "trajectory": forged.start["trajectory"], "writ": proposal["writ"]}
        resolved["id"] = hashed_json("proposal", identity)

    return changed


def without_values(forged):
    """The first delegation, which names nothing then that it has to hold."""
    entry = forged.of_kind(12)
    entry["blobs"], entry["header"]["blobs"] = [], 0
    return entry


def without_a_proposal(forged):
    entry = without_values(forged)
    entry["body"]["origin"] = {"dispatch": OTHER}


def to_call(forged):
    """A proposal to call a tool in the place of one to delegate."""
    called, entry = forged.of_kind(6)["body"]["origin"]["proposal"], without_values(forged)
    entry["body"]["origin"]["proposal"].update(intent=called["intent"], resolved=called["resolved"])


def carried_out_as(kind):
    """A staged delegation that is carried out as if it were a call."""

    def change(forged):
        entry, commit = forged.of_kind(12), forged.of_kind(6)["body"]
        proposal = entry["body"]["origin"]["proposal"]
        outcome = {"cost": {"tool_calls": 1}, "origin": entry["body"]["origin"]}
        observation = {"output": proposal["intent"]["args"]}
        entry["body"] = {
            5: {"proposal": proposal, "reserved": proposal["decision"]["quote"]["cost"]},
            6: outcome | {"delta": [], "observation": observation, "world_root": commit["world_root"]},
            7: outcome | {"cause": "not_done", "effect": "none"},
        }[kind]
        entry["header"]["kind"] = kind

    return change


def before_its_end(forged):
    """The end of the run before what is on record of a child."""
    returned = forged.of_kind(13, 2)
    forged.entries.remove(returned)
    forged.entries.append(returned)
    forged.follow()


# As in `tamper.CHANGES`.
CHANGES = [
    (12, 0, at("child", OTHER), "not the run"),
    (12, 0, at("origin.proposal.decision.quote.child.children", 1), "there are 0"),
    (12, 2, at("origin.proposal.decision.quote.child.children", 1), "there are 2"),
    (12, 0, lambda body: body["origin"]["proposal"]["decision"]["quote"].pop("child"), "what there is around it"),
    (12, 0, lambda body: body["origin"]["proposal"]["decision"].pop("quote"), "what there is around it"),
    (12, 0, at("origin.proposal.decision.status", {"suspended": {"channel": "a", "reason": "b"}}), "status"),
    (12, 0, at("origin.proposal.decision.quote.cost", {"tool_calls": 2}), "spent"),
    (12, 0, at("origin.proposal.decision.quote.cost", {"tool_calls": 21}), "balances"),
    (12, 0, at("origin.proposal.decision.balances.0.tool_calls", lambda calls: calls + 1), "balances"),
    (12, 1, lambda body: body["origin"]["proposal"]["decision"].pop("approvals"), "what the votes come to"),
    (12, 0, at("origin.proposal.resolved.plan", "call"), "plan"),
    (12, 0, at("origin.proposal.resolved.plan.delegate.task", OTHER), "the id"),
    (12, 0, at("origin.proposal.resolved.plan.delegate.writ", OTHER), "the id"),
    (12, 0, dropped("child"), "shape"),
    (13, 0, at("delegation", OTHER), "nothing is on record"),
    (13, 1, at("delegation", ZERO), "nothing is on record"),
    (13, 0, at("reason", "bored"), "shape"),
    (9, 0, at("proposal.resolved.plan", "call"), "plan"),
    (9, 0, at("proposal.decision.quote.child.children", 2), "there are 1"),
    (8, 5, at("refused.decision.quote.child.children", 4), "there are 3"),
    (8, 0, at("refused.decision.status.rejected.stage", "bored"), "shape"),
    (21, 0, at("spent.tool_calls", lambda calls: calls - 1), "spent"),
    (68, 0, at("definition.coordination.children", 4), "policy_set"),
    (68, 0, lambda body: body["definition"].pop("coordination"), "policy_set"),
]
# Changes of more than one record, and a word of the reason.
WHOLE = [
    (without_a_proposal, "without a proposal"),
    (identified(at("resolved.plan.delegate.task", OTHER)), "not the run"),
    (identified(at("resolved.plan.delegate.writ", OTHER)), "not the run"),
    (identified(at("intent.nonce", "ab" * 16)), "not the run"),
    (identified(at("intent.author", "other")), "not the run"),
    (identified(at("resolved.plan", "call")), "not the one of the contract"),
    (to_call, "is not to delegate"),
    (carried_out_as(5), "is not to call"),
    (carried_out_as(6), "is not to call"),
    (carried_out_as(7), "is not to call"),
    (left_out(12, 0), "nothing is on record"),
    (left_out(12, 2), "decided with 3"),
    (left_out(13, 0), "nothing is on record of"),
    (left_out(13, 2), "nothing is on record of"),
    (again(13, 0, after=(13, 0)), "not one of which"),
    (again(12, 0, after=(12, 0), first=at("origin.proposal.decision.balances.0.tool_calls", 18)), "decided with 0"),
    (before_its_end, "nothing is on record of"),
]
