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
    left = list(env.concretized_specs())
    out = []
    for user in env.user_specs:
        found = next((pair for pair in left if pair[0] == user), None)
        if found is None:
            out.append([None, "not_concretized"])
            continue
        left.remove(found)
        out.append([found[1].dag_hash(), state(found[1])])
    out.extend([concrete.dag_hash(), "stale"] for _, concrete in left)
    return out


print("STATUS" + json.dumps({env.name: rows(env) for env in ev.all_environments()}))
