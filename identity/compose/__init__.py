"""The composition root: the one place that joins ports to adapters and services to each other.

Nothing else may import the registry's engine or API; see docs/decisions/0004 and 0013.
"""

from identity.compose.root import compose
from identity.compose.site import Composition

__all__ = ["Composition", "compose"]
