#!/usr/bin/env python3
"""Grow a Spack database: grow_database.py INDEX RECORDS > GROWN

Copies whole DAGs of INDEX, each copy with versions and hashes of its own, until there are RECORDS records.
Hashes are recomputed bottom-up, so every record of the result verifies.
"""
import base64
import hashlib
import json
import sys


def dag_hash(node):
    text = json.dumps({k: v for k, v in node.items() if k != "hash"}, separators=(",", ":"))
    return base64.b32encode(hashlib.sha1(text.encode()).digest()).decode().lower()


def order(installs):
    """Hashes, children first."""
    done, out = set(), []

    def visit(key):
        if key in done or key not in installs:
            return
        done.add(key)
        for edge in installs[key]["spec"].get("dependencies", []):
            visit(edge["hash"])
        out.append(key)

    for key in installs:
        visit(key)
    return out


def main():
    sys.setrecursionlimit(10000)
    with open(sys.argv[1]) as f:
        database = json.load(f)["database"]
    wanted = int(sys.argv[2])
    installs = database["installs"]
    keys = order(installs)
    grown = dict(installs)
    copy = 0
    while len(grown) < wanted:
        copy += 1
        renamed = {}
        for key in keys:
            if len(grown) >= wanted:
                break
            record = json.loads(json.dumps(installs[key]))
            node = record["spec"]
            node.pop("hash")
            node["version"] = "%s.%d" % (node["version"], copy)
            for edge in node.get("dependencies", []):
                edge["hash"] = renamed.get(edge["hash"], edge["hash"])
            node["hash"] = renamed[key] = dag_hash(node)
            if record["path"]:
                record["path"] = record["path"].replace(key, node["hash"])
            grown[node["hash"]] = record
    json.dump({"database": {"version": database["version"], "installs": grown}}, sys.stdout,
              separators=(",", ":"))


if __name__ == "__main__":
    main()
