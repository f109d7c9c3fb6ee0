"""How many mutations of which kind; the whole is what must be shown, and is asserted."""

from collections.abc import Callable

from registry.core.keys import KeyType
from tests.adversary.kinds import (
    Cose,
    Embedded,
    EmbeddedPresentation,
    Jws,
    Kind,
    SdJwt,
    plain,
    presentation,
)
from tests.adversary.strict_kinds import Derived, StatusToken, StrictSdJwt
from tests.adversary.unlinkable_kind import DerivedUnlinkably

Plan = dict[str, tuple[int, Callable[[], Kind]]]

P256, P384, P521, ED = KeyType.P256, KeyType.P384, KeyType.P521, KeyType.ED25519

# Formats that are quick to judge weigh more; each number is counted with a healthy twin around it.
ENVELOPED: Plan = {
    "vc+jwt P-256": (2900, lambda: Jws("vc+jwt", P256, plain)),
    "vc+jwt Ed25519": (1200, lambda: Jws("vc+jwt", ED, plain)),
    "vc+jwt P-384": (500, lambda: Jws("vc+jwt", P384, plain)),
    "vc+jwt P-521": (500, lambda: Jws("vc+jwt", P521, plain)),
    "vc+sd-jwt P-256": (2800, lambda: SdJwt("vc+sd-jwt", P256, plain)),
    "vc+cose P-256": (2400, lambda: Cose("vc+cose", P256, plain)),
    "vc+cose Ed25519": (800, lambda: Cose("vc+cose", ED, plain)),
    "vp+jwt P-256": (1200, lambda: Jws("vp+jwt", P256, presentation)),
    "vp+sd-jwt P-256": (800, lambda: SdJwt("vp+sd-jwt", P256, presentation)),
    "vp+cose P-256": (800, lambda: Cose("vp+cose", P256, presentation)),
}
STRICT: Plan = {
    "dc+sd-jwt with key binding": (2100, StrictSdJwt),
    "statuslist+jwt": (500, StatusToken),
}
EMBEDDED: Plan = {
    "eddsa-jcs-2022": (1000, lambda: Embedded("eddsa-jcs-2022", ED, plain)),
    "ecdsa-jcs-2019 P-256": (700, lambda: Embedded("ecdsa-jcs-2019", P256, plain)),
    "ecdsa-jcs-2019 P-384": (300, lambda: Embedded("ecdsa-jcs-2019", P384, plain)),
    "eddsa-rdfc-2022": (500, lambda: Embedded("eddsa-rdfc-2022", ED, plain)),
    "ecdsa-rdfc-2019 P-256": (300, lambda: Embedded("ecdsa-rdfc-2019", P256, plain)),
    "ecdsa-rdfc-2019 P-384": (200, lambda: Embedded("ecdsa-rdfc-2019", P384, plain)),
    "ecdsa-sd-2023 derived": (150, Derived),
    "bbs-2023 derived": (150, DerivedUnlinkably),
    "presentation, jcs": (300, lambda: EmbeddedPresentation("eddsa-jcs-2022", ED, presentation)),
    "presentation, rdfc": (150, lambda: EmbeddedPresentation("eddsa-rdfc-2022", ED, presentation)),
}
PLANNED = sum(count for plan in (ENVELOPED, STRICT, EMBEDDED) for count, _ in plan.values())
