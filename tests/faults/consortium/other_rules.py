"""A member whose rules are not those of the others: run as `registry.consortium` is.

Every DID that it creates is one second younger in its state, so that its application hash differs
from that of the others with the first of them.
"""

import sys
from dataclasses import replace

from registry.consortium.__main__ import main
from registry.core import did_rules, transitions
from registry.core.context import Context
from registry.core.did_actions import CreateDid


def _create(action: CreateDid, context: Context) -> dict[str, bytes]:
    later = replace(context.block, time=context.block.time + 1)
    return did_rules.create(action, replace(context, block=later))


if __name__ == "__main__":
    transitions._RULES[CreateDid] = _create
    sys.exit(main(sys.argv[1:]))
