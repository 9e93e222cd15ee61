"""The world: the delta of commits, and the root of the Merkle map."""

from sealed import ZERO, Refused, hashed


class World:
    def __init__(self):
        self.resources = {}

    def apply(self, delta):
        """Applies a delta, all of it or nothing."""
        after = dict(self.resources)
        for operation in delta:
            ((what, given),) = operation.items()
            name = (given["resource"]["kind"], given["resource"]["id"])
            version = after[name][0] if name in after else 0
            if version != given.get("version", 0) or (what != "create" and version == 0):
                raise Refused("delta", f"{name[0]}/{name[1]} has version {version}")
            if what == "delete":
                del after[name]
            else:
                after[name] = (version + 1, given["value"])
        self.resources = after

    def root(self):
        leaves = []
        for (kind, name), (version, commitment) in self.resources.items():
            key = hashed("world key", kind.encode(), b"\0", name.encode())
            leaf = hashed("world leaf", bytes.fromhex(key), version.to_bytes(8, "big"), bytes.fromhex(commitment))
            leaves.append((int(key, 16), leaf))
        return subtree(leaves, 0)


def subtree(leaves, depth):
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return leaves[0][1]
    halves = ([], [])
    for leaf in leaves:
        halves[leaf[0] >> (255 - depth) & 1].append(leaf)
    left, right = (bytes.fromhex(subtree(half, depth + 1)) for half in halves)
    return hashed("world node", left, right)
