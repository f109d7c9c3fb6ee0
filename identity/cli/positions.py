"""How the commands read what stands without an option before it."""

from typing import Any, Final

#: For commands that take an identifier in base64url: one in 64 begins with a dash, and would be
#: read as an option. An option that does not exist is then refused as one value too many.
MAY_BEGIN_WITH_A_DASH: Final[dict[str, Any]] = {"ignore_unknown_options": True}
