"""The types of docs/ledger-format.md: what a value has to look like. A shape is a function that raises `Refused`."""

import re

from sealed import MAX_INTEGER, Refused, is_key


def text(value, at):
    if not isinstance(value, str):
        raise Refused("shape", f"{at}: expected text")


def anything(value, at):
    pass


def boolean(value, at):
    if not isinstance(value, bool):
        raise Refused("shape", f"{at}: expected true or false")


def number_to(limit, least=0):
    def shape(value, at):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= limit:
            raise Refused("shape", f"{at}: expected a number from {least} to {limit}")

    return shape


def matching(pattern, what, also=lambda value: True):
    compiled = re.compile(pattern)

    def shape(value, at):
        if not isinstance(value, str) or not compiled.fullmatch(value) or not also(value):
            raise Refused("shape", f"{at}: expected {what}")

    return shape


def words(listed):
    return matching("|".join(listed.split()), f"one of {listed}")


def null_or(inner):
    return lambda value, at: None if value is None else inner(value, at)


def true(value, at):
    if value is not True:
        raise Refused("shape", f"{at}: expected true")


def array(inner, least=0, most=None):
    def shape(value, at):
        if not isinstance(value, list) or not least <= len(value) <= (len(value) if most is None else most):
            raise Refused("shape", f"{at}: expected a list")
        for index, item in enumerate(value):
            inner(item, f"{at}/{index}")

    return shape


def record(**members):
    """An object; a member whose name ends in `_` is optional."""
    shapes = {name.rstrip("_"): shape for name, shape in members.items()}
    needed = {name for name in members if not name.endswith("_")}

    def shape(value, at):
        if not isinstance(value, dict):
            raise Refused("shape", f"{at}: expected an object")
        if not needed <= value.keys() or not value.keys() <= shapes.keys():
            raise Refused("shape", f"{at}: has {sorted(value)}, needs {sorted(needed)}, may have {sorted(shapes)}")
        for name, member in value.items():
            shapes[name](member, f"{at}/{name}")

    return shape


def either(plain=None, **variants):
    """One of several forms, each an object of one member named for the form; `plain` are forms that are mere words."""

    def shape(value, at):
        if plain is not None and isinstance(value, str):
            return plain(value, at)
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= variants.keys():
            raise Refused("shape", f"{at}: expected one of {sorted(variants)}")
        ((name, inner),) = value.items()
        return variants[name](inner, f"{at}/{name}")

    return shape


def mapped(inner):
    def shape(value, at):
        if not isinstance(value, dict):
            raise Refused("shape", f"{at}: expected an object")
        for name, member in value.items():
            inner(member, f"{at}/{name}")

    return shape


def verdict(value, at):
    forms = {"permit": record(kind=text), "deny": record(kind=text, reason=text)}
    forms["require_approval"] = record(channel=text, kind=text, reason=text)
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in forms:
        raise Refused("shape", f"{at}: expected a verdict")
    forms[kind](value, at)


def condition(value, at):
    if isinstance(value, dict) and "field" in value:
        return record(field=text, op=words("eq ne gt lt gte lte contains starts_with in"), value=anything)(value, at)
    return either(all=array(condition), any=array(condition), **{"not": condition})(value, at)


def amounts(value, at):
    record(tokens_=count, tool_calls_=count, usd_millicents_=count, wall_clock_ms_=count)(value, at)
    if 0 in value.values():
        raise Refused("shape", f"{at}: zero amounts are left out")


def some_amounts(value, at):
    amounts(value, at)
    if not value:
        raise Refused("shape", f"{at}: nothing is left out")


def some(inner):
    return array(inner, least=1)


def is_resource_id(value):
    return 1 <= len(value.encode()) <= 1024


def is_pattern(value):
    return "**" not in value


hash_ = matching("[0-9a-f]{64}", "64 hex digits")
key = matching("[0-9a-f]{64}", "a public key", is_key)
signature = matching("[0-9a-f]{128}", "128 hex digits")
nonce = matching("[0-9a-f]{32}", "32 hex digits")
count, small, positive = number_to(MAX_INTEGER), number_to(2**32 - 1), number_to(MAX_INTEGER, least=1)
tool = matching("[A-Za-z0-9_.:/-]{1,128}", "a tool name")
pattern = matching("[A-Za-z0-9_.:/*?-]{1,128}", "a tool pattern", is_pattern)
effect, risk = words("read write external irreversible"), words("low medium high critical")
role = words("writ_issuer policy_issuer approver runtime")
named = record(key=key, name=text)
cap = record(tokens_=count, tool_calls_=count, usd_millicents_=count, wall_clock_ms_=count)
skill_name, version = matching("[a-z0-9][a-z0-9_-]{0,59}", "a skill's name"), number_to(2**32 - 1, least=1)
resource = record(id=matching("(?s).+", "a resource id", is_resource_id), kind=matching("[a-z0-9_]{1,64}", "a kind"))
contract = record(compensable=boolean, description=text, effect=effect, name=tool, risk=risk, schema=anything,
                  touches=words("world host"), version=text)
stage = words("intent_kind chain audience revocation window scope registry effect budget schema conditions preconditions "
              "reads delegation policy risk_gate compensation_gate approvals")
code = words("unsupported_kind query_with_effect untrusted_root invalid_chain wrong_subject wrong_audience wrong_tenant "
             "revoked not_yet_valid expired out_of_scope contract_not_pinned unknown_tool effect_above_ceiling "
             "budget_exceeded schema_violation arguments_malformed condition_not_met precondition_failed "
             "quote_unavailable secret_unavailable contract_changed policy_changed read_changed probe_changed policy_denied "
             "policy_failed approval_denied unknown_channel not_in_branch clock_behind denied_before in_doubt already_done not_delegable "
             "child_exceeds_parent too_many_runs subject_key_unavailable internal")
refusal = record(allowed_=text, asked_=text, code=code, pointer_=text, stage=stage)
scope = record(contracts_=array(hash_), tool=pattern, when_=condition)
writ = record(
    audience=lambda value, at: None if value == "any" else array(hash_)(value, at), budget=amounts,
    delegation=record(depth=small, may_subdivide=boolean), effect_ceiling=effect, format=small, issuer=named, nonce=nonce,
    parent=null_or(hash_), scopes=array(scope), subject=named, tenant=text,
    window=record(expires_at_ms=count, not_before_ms=count))
chain = array(record(signature=signature, writ=writ))
link = either(branch=record(entry=hash_, seq=count, trajectory=hash_), delegation=record(intent=hash_, trajectory=hash_))
start = record(from_=link, nonce=nonce, store=hash_, task=hash_, writ=hash_)
intent = record(args=hash_, author=text, kind=words("act query delegate memory_promote"), nonce=nonce, rationale_=hash_,
                target=tool)
evidence = record(approved=array(hash_), channel=text, denied_=some(hash_), operator_present_=true, quorum=small,
                  roster_=hash_)
quote = record(arguments_=record(keyword=text, pointer=text),
               child_=record(children=count, descendants=count, generation=small, subject=named), compensable_=true, cost=amounts, key_=hash_,
               precondition_=record(code=text), probe_=hash_,
               reads_=some(record(resource=resource, value_=hash_, version=count)), secret_=record(pointer=text))
trace = record(asserted_=some(record(policy=small, verdict=verdict)), failed_=some(small), fired_=some(small), unknown_=some(small))
status = either(words("staged"), suspended=record(channel=text, reason=text), rejected=refusal)
claim = record(seq=count, state=words("in_doubt done"), trajectory=hash_)
decision = record(approvals_=some(evidence), asserted_schema_=true, balances=array(amounts), claim_=claim, clock_ms_=count, compiler=small, now_ms=count,
                  policy_set=hash_, quote_=quote, status=status, trace_=trace)
plan = either(words("call"), delegate=record(task=hash_, writ=hash_))
proposal = record(decision=decision, intent=intent, resolved_=record(contract=hash_, id=hash_, plan=plan), writ=hash_)
origin = either(dispatch=hash_, proposal=proposal)
operation = either(create=record(resource=resource, value=hash_), replace=record(resource=resource, value=hash_, version=count),
                   delete=record(resource=resource, version=count))
observation = record(normalised_=some(text), output=hash_)
undo = record(args=hash_, tool=tool)
end = words("completed closed cancelled budget_exhausted limit_reached cognition_failed authority_ended")
bundle = record(name=text, rules=array(record(decision=verdict, name=text, when=condition)), version=text)
definition = record(
    bundles=array(either(signed=record(issuer_pubkey=key, policy=bundle, signature=signature), unsigned=bundle)),
    coordination_=record(children=count, descendants=count, generations=small),
    engines=array(record(config=text, name=text, version=text)),
    gates=record(approve_risk_from=null_or(risk), approve_uncompensable=boolean, channel=text))
route = record(cost_usd_millicents=count, latency_ms=count, route=text)
tokens = record(cached=count, input=count, output=count, reasoning=count)
run = record(chain=chain, contracts=array(hash_), policy_set=hash_, signature=signature, start=start)

KINDS = {
    1: ("root", run),
    2: ("branch", record(run=run, world_root=hash_)),
    3: ("turn_start", record(cognition=text, omitted_=positive, reserved=amounts, step=count)),
    4: ("turn", record(answer_=hash_, answered_by_=text, carry_=hash_, error_=record(code=text, message=hash_), intents_=some(intent),
                       malformed_=some(record(index=count, reason=hash_)), start=hash_, text_=hash_, tokens_=tokens,
                       usage=amounts)),
    5: ("dispatch", record(compensates_=hash_, proposal=proposal, reserved=amounts)),
    6: ("commit", record(compensates_=hash_, cost=amounts, delta=array(operation), observation=observation, origin=origin,
                         undo_=undo, world_root=hash_)),
    7: ("failure", record(cause=words("not_done tool_failed tool_panicked timed_out cancelled postcondition delta_conflict "
                                      "bad_result cost_overrun commit_failed interrupted"),
                          cost=amounts, detail_=hash_, effect=words("none happened unknown"), observation_=observation,
                          origin=origin, undo_=undo)),
    8: ("rejection", either(refused=proposal, abandoned=record(by=hash_, intent=intent),
                            not_attempted=record(after=hash_, intent=intent))),
    9: ("pending_approval", record(expires_at_ms_=count, proposal=proposal)),
    10: ("vote", record(note_=hash_, pending=hash_, signature_=signature, statement=record(
        approve=boolean, approver_=named, decision=hash_, expires_at_ms=count, nonce=nonce, policy_set=hash_, proposal=hash_,
        roster_=hash_))),
    11: ("approval_outcome", record(outcome=words("approved denied expired withdrawn"), pending=hash_,
                                    released_=some_amounts, votes_=some(hash_))),
    12: ("delegation", record(child=hash_, granted=amounts, origin=origin)),
    13: ("delegation_result", record(answer_=hash_, delegation=hash_, head=hash_, reason=end, seq=count, spent=amounts)),
    14: ("compensation_halt", record(at=hash_, cause=text, detail_=hash_, to=hash_)),
    15: ("in_doubt_resolution", record(cost=amounts, dispatch=hash_, note_=hash_, operator_=record(key=named, signature=signature),
                                       verdict=words("happened not_done"))),
    16: ("skill", record(definition=record(budget=cap, effect_ceiling=effect, instructions=text, name=skill_name,
                                           parameters=anything, tools=array(pattern, most=128), version=version), hash=hash_,
                         parameters_=hash_)),
    17: ("routing", record(evidence=record(alternatives=array(route), confidence_bp=small, decision_hash=hash_,
                                           selected=route), latency_ms=count, status=words("proposed answered malformed empty failed"), turn=hash_)),
    18: ("erasure", record(blobs=array(record(commitment=hash_, entry=hash_)), by=named, reason=text)),
    19: ("checkpoint", record(length=count, position=count, root=hash_)),
    20: ("resumed", record(contracts=array(hash_), debited=amounts, in_doubt_=some(hash_), policy_set=hash_,
                          turn_=hash_)),
    21: ("terminated", record(answer_=hash_, detail_=text, reason=end, spent=amounts)),
    22: ("compensation", record(chain=chain, contracts=array(hash_), policy_set=hash_, signature=signature, statement=record(
        base=hash_, nonce=nonce, plan=array(record(entry=hash_, keep_=true, seq=count, undo_=undo), most=1024), store=hash_,
        to=hash_, trajectory=hash_, writ=hash_))),
    64: ("genesis", record(nonce=nonce, runtime=null_or(named), software=text)),
    65: ("trust_root", record(change=words("added removed"), roles=array(role), root=named)),
    66: ("key_rotation", record(signature=signature, signed_by=key, statement=record(invalid_from_=count, new=named, old=key, store=hash_,
                                                                                     role=role))),
    67: ("revocation", record(signature=signature, statement=record(by=named, reason=text, writ=hash_))),
    68: ("policy_set", record(definition=definition, hash=hash_)),
    69: ("roster", record(hash=hash_, roster=record(channels=mapped(record(approvers=array(named), required=small)),
                                                    version=text), signature=signature, signed_by=key)),
    70: ("contract", record(definition=contract, hash=hash_)),
    71: ("run_opened", record(trajectory=hash_, writ=hash_)),
    72: ("start_refused", record(refusal=refusal, task=hash_, writ_=hash_)),
    73: ("clock_reset", record(signature=signature, statement=record(by=named, high_water_ms=count, reading_ms=count, store=hash_))),
}

present, erased = record(salt=nonce, text=text), record(erased=hash_)


def blob(value, at):
    (erased if isinstance(value, dict) and "erased" in value else present)(value, at)


entry = record(blobs=array(blob), header=matching("[0-9a-f]{448}", "a header"), record=text, signature=null_or(signature))
head = record(signature=null_or(signature), signer=null_or(key), statement=record(
    as_of_ms=count, digest=hash_, head=hash_, invalid_=some(record(authority_=count, key=key, run_=count)), length=count, store=hash_, trajectory=hash_))
line = either(export=record(format=small, store=hash_, trajectory=hash_), entry=entry, head=head)
