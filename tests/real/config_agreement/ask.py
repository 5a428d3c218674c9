"""Prints what Spack itself makes of its configuration, as JSON on the last line."""
import json
import os
import sys

import spack.config
import spack.environment as ev
import spack.spec
import spack.store
import spack.util.path

try:
    from spack.mirrors.mirror import MirrorCollection
except ImportError:
    from spack.mirror import MirrorCollection


def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)


def marks(value, path, out):
    if isinstance(value, dict):
        for key, inner in value.items():
            marks(inner, path + [str(key)], out)
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            marks(inner, path + [str(at)], out)
    else:
        mark = getattr(value, "_start_mark", None)
        if mark is not None and getattr(mark, "line", None) is not None and os.path.isabs(mark.name):
            out["\t".join(path)] = "%s:%d" % (mark.name, mark.line + 1)


sections, origins = {}, {}
for name in spack.config.SECTION_SCHEMAS:
    data = spack.config.get(name)
    sections[name] = plain(data)
    marks(data, [name], origins)

active = ev.active_environment()
specs = None
if active is not None:
    ours = [spack.spec.Spec(text) for text in json.loads(os.environ.get("OUR_SPECS", "[]"))]
    theirs = list(active.user_specs)
    specs = {
        "theirs": [str(s) for s in theirs],
        "equal": len(ours) == len(theirs) and all(a == b for a, b in zip(ours, theirs)),
        "views": {name: view.root for name, view in active.views.items()},
    }

upstreams = {
    name: spack.util.path.canonicalize_path(entry["install_tree"])
    for name, entry in (spack.config.get("upstreams") or {}).items()
}
tree = spack.store.parse_install_tree(spack.config.get("config"))
print(
    json.dumps(
        {
            "sections": sections,
            "origins": origins,
            "scopes": [getattr(s, "name", str(s)) for s in spack.config.CONFIG.scopes.values()],
            "root": tree[0],
            "unpadded_root": tree[1],
            "environments_root": spack.util.path.canonicalize_path(
                spack.config.get("config:environments_root", ev.environment.default_env_path)
            ),
            "environments": sorted(ev.all_environment_names()),
            "upstreams": upstreams,
            "mirrors": {
                name: [m.fetch_url, m.push_url, bool(m.source), bool(m.binary), bool(m.signed), bool(m.autopush)]
                for name, m in MirrorCollection().items()
            },
            "stages": [
                spack.util.path.canonicalize_path(p)
                for p in (lambda v: v if isinstance(v, list) else [v])(spack.config.get("config:build_stage"))
            ],
            "specs": specs,
        }
    )
)
