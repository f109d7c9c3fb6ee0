"""What others reach with the same credentials in the same run; `make peers` installs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from bench.measure import Figure
from registry.core.encoding import JsonObject, parse_json
from tests.peers import PeerFailed, run_node, run_python

SECONDS = 0.75  # of processor time for each figure
PATIENCE_SECONDS = 3_600.0  # on a machine that does a great deal else

DIGITAL_BAZAAR = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", None),
    "ecdsa-rdfc-2019, P-256": ("ecdsa-rdfc-2019", "P-256"),
    "ecdsa-rdfc-2019, P-384": ("ecdsa-rdfc-2019", "P-384"),
    "ecdsa-sd-2023": ("ecdsa-sd-2023", "P-256"),
    "bbs-2023": ("bbs-2023", None),
}

# The bare operation beside it, where it is not that of the key itself.
FLOORS = {"bbs-2023": "P-256"}


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """By format and peer: issuing and verifying, each beside the bare operation in its process."""

    rates: Mapping[str, Mapping[str, tuple[Figure, Figure]]]


def measure_peers(
    document: JsonObject, claims: JsonObject, disclosable: Sequence[str]
) -> PeerFigures:
    """Ask every peer.

    Raises:
        PeerFailed: a peer is not installed, or does not do what it is asked.
    """
    rates: dict[str, dict[str, tuple[Figure, Figure]]] = {}
    for name, figures in _digital_bazaar(document).items():
        rates.setdefault(name, {})["Digital Bazaar"] = figures
    message = {
        "seconds": SECONDS,
        "claims": claims,
        "disclosable": list(disclosable),
        "document": {**document, "issuer": "did:example:issuer"},
    }
    for name, figures in run_node("time_formats.mjs", message, seconds=PATIENCE_SECONDS).items():
        peer = "@sd-jwt" if name == "SD-JWT VC" else "jose"
        rates.setdefault(name, {})[peer] = (_figure(figures["issue"]), _figure(figures["verify"]))
    for name, figures in run_python("time_formats.py", message, seconds=PATIENCE_SECONDS).items():
        rates.setdefault(name, {})["openvc"] = (
            _figure(figures["issue"]),
            _figure(figures["verify"]),
        )
    return PeerFigures(rates)


def _digital_bazaar(document: JsonObject) -> dict[str, tuple[Figure, Figure]]:
    # Their verifier asks a list for the status, which is not what is measured.
    plain = {name: value for name, value in document.items() if name != "credentialStatus"}
    signing: list[dict[str, Any]] = [
        {"do": "sign", "suite": suite, "curve": curve, "document": plain}
        for suite, curve in DIGITAL_BAZAAR.values()
    ]
    secured = _ask(signing)
    deriving = [
        {
            "do": "derive",
            "suite": job["suite"],
            "document": signed,
            "selectivePointers": ["/validFrom", "/credentialSubject"],
        }
        for job, signed in zip(signing, secured, strict=True)
        if "sd" in job["suite"] or "bbs" in job["suite"]
    ]
    derived = dict(zip((job["suite"] for job in deriving), _ask(deriving), strict=True))
    timing = []
    for job, signed in zip(signing, secured, strict=True):
        shown = derived.get(job["suite"], signed)
        for what, subject in (("sign", plain), ("verify", shown)):
            timing.append(
                {
                    **job,
                    "do": "time",
                    "what": what,
                    "floor": FLOORS.get(job["suite"], job["curve"]),
                    "seconds": SECONDS,
                    "document": subject,
                }
            )
    figures = _ask(timing)
    return {
        name: (_figure(figures[2 * number]), _figure(figures[2 * number + 1]))
        for number, name in enumerate(DIGITAL_BAZAAR)
    }


def _figure(answer: Mapping[str, float]) -> Figure:
    return Figure(answer["perSecond"], answer["bare"])


def _ask(jobs: Sequence[Mapping[str, Any]]) -> list[Any]:
    folder = files("schemas") / "contexts"
    index: Any = parse_json((folder / "index.json").read_bytes())
    contexts = {url: parse_json((folder / name).read_bytes()) for url, name in index.items()}
    answers = run_node(
        "data_integrity.mjs", {"contexts": contexts, "jobs": jobs}, seconds=PATIENCE_SECONDS
    )
    if failed := [answer for answer in answers if "error" in answer]:
        raise PeerFailed(str(failed[0]))
    return [answer["result"] for answer in answers]
