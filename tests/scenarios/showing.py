"""Showing a credential to a relying party, with any part of the answer altered on its way."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from identity.core import sd_jwt
from identity.core.signing import NamedSigner
from identity.demo.holder import HeldCopy, Holder
from registry.core.encoding import JsonObject
from tests.scenarios.installation import Installation

Receipts = Callable[[JsonObject], object]


@dataclass
class Shown:
    """What came of a presentation. `refused` is the wallet's answer when none was judged."""

    state: str
    verdict: JsonObject | None
    answer: httpx2.Response
    failed: dict[str, str] = field(default_factory=dict)  # check: reason

    @property
    def verified(self) -> bool:
        """Whether the relying party was told yes."""
        return self.verdict is not None and self.verdict["verified"] is True

    @property
    def first_failed(self) -> str:
        """The check that failed first, in the order of the pipeline; empty when none did."""
        return next(iter(self.failed), "")


def show(
    installation: Installation,
    holder: Holder,
    copy: HeldCopy,
    *,
    party: str = "bar",
    purpose: str = "age-check",
    alter: Callable[[str], str] = lambda text: text,
    staple: Receipts = lambda receipt: receipt,
) -> Shown:
    """Ask, answer, and fetch the result, all over HTTP.

    Args:
        alter: changes the presentation as it is sent.
        staple: changes the anchor receipt as it is sent; None sends none.
    """
    here = installation
    asking = here.post(f"verifier:{party}", "/requests", {"purpose": purpose})
    request = here.call(asking)
    asked = holder.read_request(request["link"])
    query = asked.payload["dcql_query"]["credentials"][0]
    presentation = sd_jwt.add_key_binding(
        sd_jwt.present(copy.text, [tuple(claim["path"]) for claim in query.get("claims", ())]),
        signer=NamedSigner(copy.key, "holder"),
        audience=asked.client_id,
        nonce=asked.payload["nonce"],
        issued_at=int(time.time()),
    )
    receipt = holder.receipt(copy)
    stapled = None if receipt is None else staple(receipt)
    answer = here.http.post(
        asked.payload["response_uri"],
        data={
            "vp_token": json.dumps({query["id"]: [alter(presentation)]}),
            "state": asked.payload["state"],
            "anchor_receipts": json.dumps({query["id"]: [stapled]}),
        },
    )
    result = here.call(
        here.http.get(
            f"{here.base}/verifiers/{party}/requests/{request['request']}/result",
            headers={"Authorization": f"Bearer {request['result_secret']}"},
        )
    )
    verdict = result.get("verdict")
    checks = verdict["checks"] if verdict else []
    return Shown(
        state=result["state"],
        verdict=verdict,
        answer=answer,
        failed={
            check["check"]: check["reason"] for check in checks if check["outcome"] == "failed"
        },
    )
