"""The state of every root of every environment, as Spack itself tells it. Run with `spack python`; prints JSON.

Output: {environment: [[hash or null, state], …]}.
"""
import json

import spack.environment as ev


def there(spec):
    return spec.external or spec.installed


def state(concrete):
    needed = concrete.traverse(deptype=("link", "run"))
    return "installed" if all(there(s) for s in needed) else "missing"


def rows(env):
    # Spack compares sets: the same root twice is one.
    locked = list(env.concretized_specs())
    asked = list(env.user_specs)
    out = []
    for user in asked:
        found = next((concrete for root, concrete in locked if root == user), None)
        out.append([None, "not_concretized"] if found is None else [found.dag_hash(), state(found)])
    out.extend([concrete.dag_hash(), "stale"] for root, concrete in locked if root not in asked)
    return out


print("STATUS" + json.dumps({env.name: rows(env) for env in ev.all_environments()}))
