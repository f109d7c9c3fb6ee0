"""Says which version of each package that requirements.in names is really installed."""

import json
from importlib.metadata import version
from pathlib import Path

names = [
    line.partition("==")[0]
    for line in (Path(__file__).parent / "requirements.in").read_text().splitlines()
]
print(json.dumps({name: version(name) for name in names}))
