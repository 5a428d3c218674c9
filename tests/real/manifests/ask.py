"""What environments ask for, as Spack itself reads their manifests. Run with `spack python FILE`, where FILE holds
JSON: {environment: [spec, …]}. Prints for each environment whether that is what it asks for.
"""
import json
import sys

import spack.environment as ev
from spack.spec import Spec


def verdict(name, texts):
    try:
        theirs = [spec for spec in ev.read(name).user_specs]
    except Exception as error:  # whatever Spack says of it
        return {"refused": str(error)}
    left = list(theirs)
    for text in texts:
        spec = Spec(text)
        found = next((their for their in left if their == spec), None)
        if found is None:
            return {"differs": [str(their) for their in theirs], "what": text}
        left.remove(found)
    return {"same": len(theirs)} if not left else {"differs": [str(their) for their in theirs], "what": None}


with open(sys.argv[1]) as file:
    asked = json.load(file)
print("ASKED" + json.dumps({name: verdict(name, texts) for name, texts in asked.items()}))
