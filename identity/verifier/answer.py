"""The wallet's answer, read strictly (OpenID4VP 1.0 §8.1, §8.2, §8.5).

`vp_token` is an object of arrays and nothing else; wallets and verifiers in the field trip over
"string or array" more than over anything, so the refusal says which rule was broken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.core.dcql import MAX_CREDENTIAL_QUERIES
from identity.core.dcql_answer import MAX_PRESENTATIONS
from identity.core.encrypted_answer import AnswerKey, decrypt_answer
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.receipt import AnchorReceipt, parse_receipt
from registry.core.refusals import Malformed, Refusal

MAX_ANSWER_BYTES = 1 << 20  # with portraits and receipts of a few credentials
# Error codes that a wallet may answer (§8.5, RFC 6749 §4.1.2.1); others are kept as "other".
KNOWN_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_client",
        "invalid_request",
        "invalid_request_uri_method",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unsupported_response_type",
        "vp_formats_not_supported",
        "wallet_unavailable",
    }
)


class AnswerMalformed(Malformed):
    """The answer does not have the form that OpenID4VP 1.0 gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The wallet says no, which is its right."""

    state: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentations:
    """What the wallet presents, by query id, each with its receipt if one was stapled.

    `vp_token` is the same as it came, and `pseudonym` what came beside it, both not looked at.
    """

    state: str
    entries: Mapping[str, tuple[tuple[Any, AnchorReceipt | Refusal | None], ...]]
    vp_token: JsonObject
    pseudonym: object  # None when there is none


def read_answer(form: Mapping[str, str], *, key: AnswerKey | None) -> Declined | Presentations:
    """Read the form fields of an answer; unknown fields are ignored (§8.1).

    Args:
        key: private key of the request, when it asked for an encrypted answer; then a plain one is
            refused, except that a wallet may always decline in plain words (§8.3.1).

    Raises:
        AnswerMalformed: neither an answer nor an error, or not in the form of version 1.0.
        AnswerNotDecrypted: encrypted to another key.
    """
    if key is not None and "response" in form:
        return _read_parameters(decrypt_answer(form["response"], key))
    if "response" in form:
        raise AnswerMalformed("no encrypted answer was asked for")
    if key is not None and "error" not in form:
        raise AnswerMalformed("an encrypted answer was asked for")
    return _read_parameters(form)


def _read_parameters(form: Mapping[str, Any]) -> Declined | Presentations:
    state = form.get("state", "")
    if not isinstance(state, str):
        raise AnswerMalformed("state is a text")
    if "error" in form:
        known = isinstance(form["error"], str) and form["error"] in KNOWN_ERRORS
        return Declined(state=state, error=form["error"] if known else "other")
    if "vp_token" not in form:
        raise AnswerMalformed("the answer has neither vp_token nor error")
    token = _object(form["vp_token"], "vp_token")
    if not 1 <= len(token) <= MAX_CREDENTIAL_QUERIES:
        raise AnswerMalformed(f"vp_token has 1 to {MAX_CREDENTIAL_QUERIES} entries")
    receipts = (
        _object(form["anchor_receipts"], "anchor_receipts") if ("anchor_receipts" in form) else {}
    )
    if not set(receipts) <= set(token):
        raise AnswerMalformed("anchor_receipts has an entry that vp_token has not")
    return Presentations(
        state=state,
        entries={
            query_id: _pair(values, receipts.get(query_id)) for query_id, values in token.items()
        },
        vp_token=token,
        pseudonym=form.get("pseudonym"),
    )


def _pair(
    values: object, receipts: object
) -> tuple[tuple[Any, AnchorReceipt | Refusal | None], ...]:
    if not isinstance(values, list):
        raise AnswerMalformed("each entry of vp_token is an array, also for one presentation")
    if not 1 <= len(values) <= MAX_PRESENTATIONS:
        raise AnswerMalformed(f"an entry of vp_token holds 1 to {MAX_PRESENTATIONS} presentations")
    if not all(isinstance(value, str | dict) for value in values):
        raise AnswerMalformed("a presentation is a string or an object, by its format")
    if receipts is None:
        return tuple((value, None) for value in values)
    if not isinstance(receipts, list) or len(receipts) != len(values):
        raise AnswerMalformed("anchor_receipts runs parallel to vp_token")
    return tuple(
        (value, None if receipt is None else _receipt(receipt))
        for value, receipt in zip(values, receipts, strict=True)
    )


def _receipt(value: object) -> AnchorReceipt | Refusal:
    """A receipt that cannot be read fails the anchor check, not the whole answer."""
    try:
        return parse_receipt(value)
    except Malformed as refusal:
        return refusal


def _object(text: object, name: str) -> JsonObject:
    """JSON text in a form, or an object inside an encrypted answer."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str):
        raise AnswerMalformed(f"{name} is not a JSON object")
    try:
        return parse_json_object(text, max_bytes=MAX_ANSWER_BYTES)
    except Malformed as error:
        raise AnswerMalformed(f"{name} is not a JSON object: {error.detail}") from error
