"""Answers a file of questions about the text of specs. Run with `spack python`; prints JSON.

A question is {"words": […]}, what `spack find` lists for these words of a shell: sorted hashes; or {"pair": [a, b]}:
are they one spec, and does the first stay what it is when it is written down and read again. An error is
{"error": text}.
"""
import json
import sys

import spack.cmd
import spack.spec
import spack.store


def found(words):
    database = spack.store.STORE.db
    hashes = set()
    for spec in spack.cmd.parse_specs(words):
        hashes.update(s.dag_hash() for s in database.query(spec))
    return sorted(hashes)


def compared(a, b):
    a, b = spack.spec.Spec(a), spack.spec.Spec(b)
    written = str(a)
    return {"same": a == b, "written": written, "kept": spack.spec.Spec(written) == a}


def answer(question):
    try:
        if "words" in question:
            return found(question["words"])
        return compared(*question["pair"])
    except (Exception, SystemExit) as e:  # an error is an answer, too
        return {"error": "%s: %s" % (type(e).__name__, e)}


with open(sys.argv[-1]) as f:
    questions = json.load(f)
print("GRAMMAR" + json.dumps([answer(question) for question in questions]))
