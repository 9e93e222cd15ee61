"""Writ chains: ids, links, signatures, and the rule that a writ is within its parent."""

from sealed import Refused, hashed_json, verifies

EFFECTS = ["read", "write", "external", "irreversible"]


def check_chain(chain):
    """Checks a chain, root first; returns the ids of its writs."""
    if not 1 <= len(chain) <= 32:
        raise Refused("length")
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
