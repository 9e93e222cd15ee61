"""Writ chains: ids, links, signatures, and the rule that a writ is within its parent."""

from sealed import Refused, hashed_json, verifies

EFFECTS = ["read", "write", "external", "irreversible"]


def check_chain(chain):
    """Checks a chain, root first; returns the ids of its writs."""
    if not 1 <= len(chain) <= 16:
        raise Refused("length")
    for signed in chain:
        check_limits(signed["writ"])
    ids, above = [], None
    for signed in chain:
        body = signed["writ"]
        if body["format"] != 1:
            raise Refused("format")
        if body["parent"] != (ids[-1] if ids else None):
            raise Refused("parent")
        if above:
            if body["issuer"]["key"] != above["subject"]["key"]:
                raise Refused("issuer")
            check_within(body, above)
        ids.append(hashed_json("writ", body))
        if not verifies(body["issuer"]["key"], "writ", ids[-1], signed["signature"]):
            raise Refused("signature")
        above = body
    return ids


def check_limits(body):
    """Refuses a writ that is larger than one may be, before anything else is done with it."""
    scopes = body["scopes"]
    stores = [] if body["audience"] == "any" else body["audience"]
    pins = sum(len(scope.get("contracts", [])) for scope in scopes)
    names = [body["tenant"], body["issuer"]["name"], body["subject"]["name"]]
    parts = sum(measure(scope["when"], 1) for scope in scopes if "when" in scope)
    if len(scopes) > 128 or len(stores) > 256 or pins > 256 or parts > 1024:
        raise Refused("limit")
    if any(len(name.encode()) > 256 for name in names):
        raise Refused("limit")


def measure(condition, depth):
    """How many parts a condition has."""
    if depth > 32:
        raise Refused("limit")
    if "field" in condition:
        return 1 + (len(condition["value"]) if isinstance(condition["value"], list) else 0)
    members = condition.get("all", condition.get("any"))
    members = [condition["not"]] if members is None else members
    return 1 + sum(measure(member, depth + 1) for member in members)


def check_within(body, above):
    if not above["delegation"]["may_subdivide"] or above["delegation"]["depth"] < 1:
        raise Refused("not_delegable")
    if body["delegation"]["depth"] >= above["delegation"]["depth"]:
        raise Refused("depth")
    if body["tenant"] != above["tenant"]:
        raise Refused("tenant")
    if above["audience"] != "any" and (body["audience"] == "any" or not set(body["audience"]) <= set(above["audience"])):
        raise Refused("audience")
    if EFFECTS.index(body["effect_ceiling"]) > EFFECTS.index(above["effect_ceiling"]):
        raise Refused("effect")
    inner, outer = body["window"], above["window"]
    if inner["not_before_ms"] < outer["not_before_ms"] or inner["expires_at_ms"] > outer["expires_at_ms"]:
        raise Refused("window")
    if any(amount > above["budget"].get(dimension, 0) for dimension, amount in body["budget"].items()):
        raise Refused("budget")
    if not all(any(scope_covers(wide, scope) for wide in above["scopes"]) for scope in body["scopes"]):
        raise Refused("scope")


def scope_covers(wide, scope):
    if "contracts" in wide:
        if "contracts" not in scope or not set(scope["contracts"]) <= set(wide["contracts"]):
            return False
    return covers(wide["tool"], scope["tool"])


def covers(wide, narrow):
    w = n = 0
    star = None
    while n < len(narrow):
        if w < len(wide) and wide[w] == "*":
            star = (w, n)
            w += 1
        elif w < len(wide) and (wide[w] == narrow[n] or wide[w] == "?" and narrow[n] != "*"):
            w, n = w + 1, n + 1
        elif star is not None:
            star = (star[0], star[1] + 1)
            w, n = star[0] + 1, star[1]
        else:
            return False
    return set(wide[w:]) <= {"*"}
