"""The children of a run: what starts one, and what is on record of its end."""

from sealed import Refused, hashed_json
from undo import add


class Children:
    """How many children a run has started, and the entries that started those of which nothing is on record."""

    def __init__(self):
        self.count, self.open, self.granted = 0, {}, {}

    def check_count(self, decision):
        """Whatever is decided about a child rests on those that there are."""
        said = decision.get("quote", {}).get("child", {}).get("children", self.count)
        if said != self.count:
            raise Refused("children", f"decided with {said}, and there are {self.count}")

    def delegated(self, entry, store, trajectory):
        """Checks the start of a child against the proposal beside it, which was found right before."""
        proposal = entry.body["origin"]["proposal"]
        plan, intent = proposal["resolved"]["plan"], proposal["intent"]
        if plan == "call":
            raise Refused("plan", "is not to delegate")
        start = {"from": {"delegation": {"intent": hashed_json("intent", intent), "trajectory": trajectory}},
                 "nonce": intent["nonce"], "store": store, **plan["delegate"]}
        if hashed_json("trajectory", start) != entry.body["child"]:
            raise Refused("child", "not the run that the proposal starts")
        if "child" not in proposal["decision"].get("quote", {}):
            raise Refused("child", "decided without what there is around it")
        self.count += 1
        add(self.granted, entry.body["granted"])
        self.open[entry.id] = entry.body["child"]

    def returned(self, body):
        if self.open.pop(body["delegation"], None) is None:
            raise Refused("child", "not one of which nothing is on record")

    def finish(self):
        for child in self.open.values():
            raise Refused("child", f"nothing is on record of {child[:12]}")
