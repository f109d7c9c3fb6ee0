"""Five thousand odd but legal credentials: none is refused."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.adversary.kinds import Cose, Embedded, Jws, Kind, SdJwt, plain
from tests.adversary.plan import ED, P256, P384, P521
from tests.adversary.trial import SEED
from tests.adversary.variants import odd_cose, odd_embedded, odd_jws, odd_sd_jwt

PLAN: dict[str, tuple[int, Callable[[], Kind], Callable[[Any, random.Random], Any]]] = {
    "vc+jwt P-256": (1000, lambda: Jws("vc+jwt", P256, plain), odd_jws),
    "vc+jwt Ed25519": (500, lambda: Jws("vc+jwt", ED, plain), odd_jws),
    "vc+jwt P-521": (200, lambda: Jws("vc+jwt", P521, plain), odd_jws),
    "vc+sd-jwt": (1200, lambda: SdJwt("vc+sd-jwt", P256, plain), odd_sd_jwt),
    "vc+cose P-256": (900, lambda: Cose("vc+cose", P256, plain), odd_cose),
    "vc+cose Ed25519": (400, lambda: Cose("vc+cose", ED, plain), odd_cose),
    "eddsa-jcs-2022": (400, lambda: Embedded("eddsa-jcs-2022", ED, plain), odd_embedded),
    "ecdsa-jcs-2019": (200, lambda: Embedded("ecdsa-jcs-2019", P384, plain), odd_embedded),
    "eddsa-rdfc-2022": (200, lambda: Embedded("eddsa-rdfc-2022", ED, plain), odd_embedded),
}


def test_five_thousand_are_planned():
    assert sum(count for count, _, _ in PLAN.values()) >= 5_000


@pytest.mark.parametrize("name", PLAN)
def test_no_odd_but_legal_credential_is_refused(name: str):
    count, make, odd = PLAN[name]
    kind, distinct = make(), set()

    for number in range(count):
        sent = odd(kind, random.Random(SEED * 7_919 + number))
        verdict = kind.judge(sent)
        where = f"seed {SEED} kind {name} number {number}"
        assert verdict.is_verified, f"{where}: {verdict.failures}\n{sent!r}"
        distinct.add(repr(sent))

    print(f"seed {SEED} kind {name}: {len(distinct)} accepted")
    assert len(distinct) == count
