"""Answers a file of queries as `spack find` would. Run with `spack python`; prints JSON.

Input: a list of {"text", "explicit", "states", "hashes"}; output: {"root", "repos", "results"}, each
result a sorted list of hashes, or {"error": text}.
"""
import json
import sys

import spack.repo
import spack.store

try:
    from spack.enums import InstallRecordStatus as Status
except ImportError:
    from spack.database import InstallStatuses as Status

try:
    from spack.spec_parser import parse
except ImportError:
    from spack.parser import parse


def installed(states):
    flags = [getattr(Status, state.upper()) for state in states]
    if isinstance(flags[0], int):
        total = flags[0]
        for flag in flags[1:]:
            total |= flag
        return total
    return flags


def answer(query):
    arguments = {"installed": installed(query["states"]), "explicit": query["explicit"]}
    if query["hashes"] is not None:
        arguments["hashes"] = set(query["hashes"])
    try:
        specs = parse(query["text"]) if query["text"] else []
        if not specs:
            return sorted(s.dag_hash() for s in spack.store.STORE.db.query(**arguments))
        found = set()
        for spec in specs:
            found.update(s.dag_hash() for s in spack.store.STORE.db.query(spec, **arguments))
        return sorted(found)
    except (Exception, SystemExit) as e:  # an error is an answer, too
        return {"error": "%s: %s" % (type(e).__name__, e)}


with open(sys.argv[-1]) as f:
    queries = json.load(f)
results = [answer(query) for query in queries]
print("AGREEMENT" + json.dumps({
    "root": str(spack.store.STORE.root),
    "repos": [str(r.root) for r in spack.repo.PATH.repos],
    "results": results,
}))
