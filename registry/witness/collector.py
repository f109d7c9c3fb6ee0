"""The operator's side: asks every witness to co-sign the newest head, until the quorum is there.

A witness may be slow, away, or lie; none of them can hold up the others or spoil a head. What a
witness answers is verified before it is put under a head, and counted by distinct key.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from registry.client.transport import Answer, Transport
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.checkpoint import Head, parse_head, verify_past_head
from registry.core.cosignature import (
    HeadNotWitnessed,
    WitnessKey,
    add_cosignatures,
    verify_cosignature,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed, NotPermitted, Refusal, Unavailable
from registry.core.signed_note import parse_note
from registry.core.witnessing import AddCheckpoint, bare_head, encode_add_checkpoint
from registry.ledger.port import Ledger
from registry.witness.cosigned import CosignedHeadStore, HeadNotCosigned, NotWitnessed
from registry.witness.routes import SIZE_MEDIA_TYPE

MAX_ANSWER_BYTES = 1 << 14  # a few signature lines

_log = logging.getLogger("registry.witness")


class WitnessRefuses(NotPermitted):
    """The witness does not co-sign the head; the detail has its status."""


class WitnessAhead(NotPermitted):
    """The witness has co-signed a longer log than this one: ours was restored, or there are two."""


class WitnessLies(NotPermitted):
    """The witness's answer is not what it must be."""


@dataclass(frozen=True, slots=True)
class WitnessEndpoint:
    """How to reach a witness, and the key that its co-signatures must have."""

    key: WitnessKey
    transport: Transport


class Collector:
    """Co-signs heads of one ledger with the help of its witnesses."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        trust: AnyTrustAnchor,
        witnesses: Sequence[WitnessEndpoint],
        store: CosignedHeadStore,
    ) -> None:
        """
        Args:
            ledger: whose heads are to be co-signed.
            trust: names the witnesses that count, and how many a head needs.
            witnesses: those that are asked. One that the trust anchor does not name counts nothing.
            store: where heads with their quorum are kept.

        Raises:
            NotWitnessed: the trust anchor names no witnesses.
        """
        if trust.witnesses is None:
            raise NotWitnessed("the trust anchor names no witnesses")
        self._ledger = ledger
        self._trust = trust
        self._quorum = trust.witnesses
        self._witnesses = tuple(witnesses)
        self._store = store
        self._sizes: dict[WitnessKey, int] = {}  # what each is believed to have co-signed last
        self._busy: dict[WitnessKey, Future[str]] = {}
        self._states: dict[WitnessKey, str] = {}
        self._turn = threading.Lock()
        self._pool = ThreadPoolExecutor(
            max_workers=max(1, len(self._witnesses)), thread_name_prefix="cairn-witness"
        )

    def close(self) -> None:
        """Ask no more; answers under way are given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def states(self) -> Mapping[str, str]:
        """For the operator: what became of the last question to each witness, by its name."""
        return {key.name: state for key, state in self._states.items()}

    def run_once(self) -> Head | None:
        """Ask for the newest head, unless it has its quorum already.

        Returns when the quorum is there, or every witness has answered. A witness that still owes
        an answer to an earlier question is not asked again.

        Returns:
            The newest head, when it has its quorum; None while it is pending.

        Raises:
            Unavailable: the ledger or the store cannot be read or written.
        """
        with self._turn:
            note = bare_head(self._ledger.head(), self._trust)
            head = verify_past_head(note, self._trust)
            if self._has_quorum(head):
                return head
            return self._ask_all(note, head)

    def _has_quorum(self, head: Head) -> bool:
        try:
            note = self._store.cosigned(head.height)
        except HeadNotCosigned:
            return False
        return parse_head(note).claimed == head

    def _ask_all(self, note: str, head: Head) -> Head | None:
        asked: dict[Future[str], WitnessKey] = {}
        for witness in self._witnesses:
            earlier = self._busy.get(witness.key)
            if earlier is None or earlier.done():
                future = self._pool.submit(self._ask, witness, note, head)
                self._busy[witness.key] = future
                asked[future] = witness.key
        lines: dict[WitnessKey, str] = {}
        open_questions = set(asked)
        while open_questions:
            answered, open_questions = wait(open_questions, return_when=FIRST_COMPLETED)
            for future in answered:
                line = self._line_of(asked[future], future)
                if line is not None:
                    lines[asked[future]] = line
            if answered and len(lines) >= self._quorum.threshold:
                try:
                    return self._store.keep(add_cosignatures(note, list(lines.values())))
                except HeadNotWitnessed:
                    continue  # among them is one that the trust anchor does not name
        return None

    def _line_of(self, key: WitnessKey, question: Future[str]) -> str | None:
        try:
            line = question.result()
        except Refusal as refusal:
            self._set_state(key, f"{type(refusal).__name__}: {refusal.detail}")
            return None
        except Exception as error:  # noqa: BLE001 - one witness must not keep the others waiting
            self._set_state(key, f"failed ({type(error).__name__})")
            return None
        self._set_state(key, "co-signed")
        return line

    def _set_state(self, key: WitnessKey, state: str) -> None:
        if self._states.get(key) != state:
            _log.log(
                logging.INFO if state == "co-signed" else logging.WARNING,
                "witness %s: %s",
                key.name,
                state,
            )
        self._states[key] = state

    def _ask(self, witness: WitnessEndpoint, note: str, head: Head) -> str:
        """Ask one witness, a second time when it names the size from which to prove."""
        old = self._sizes.get(witness.key, 0)
        answer = self._post(witness, note, head, old)
        if answer.status == 409 and _media_type(answer) == SIZE_MEDIA_TYPE:
            old = _size(answer)
            if old > head.tree_size:
                raise WitnessAhead(
                    f"it has co-signed {old} entries, the ledger has {head.tree_size}"
                )
            answer = self._post(witness, note, head, old)
        if answer.status in (429, 500, 502, 503, 504):
            raise Unavailable(f"the witness answers {answer.status}")
        if answer.status != 200:
            raise WitnessRefuses(f"the witness answers {answer.status}")
        line = _verified_line(answer, note, witness.key)
        self._sizes[witness.key] = head.tree_size
        return line

    def _post(self, witness: WitnessEndpoint, note: str, head: Head, old: int) -> Answer:
        path: tuple[bytes, ...] = ()
        if 0 < old < head.tree_size:
            path = self._ledger.consistency(old, head.tree_size).path
        body = encode_add_checkpoint(AddCheckpoint(old, path, note))
        return witness.transport.post("/add-checkpoint", body, "text/plain; charset=utf-8")


def _verified_line(answer: Answer, note: str, key: WitnessKey) -> str:
    """The co-signature of `key` in an answer; lines of other keys are ignored.

    Raises:
        WitnessLies: it holds none that verifies.
    """
    if len(answer.body) > MAX_ANSWER_BYTES:
        raise WitnessLies("the answer is too long")
    text = parse_note(note).text
    try:
        for line in parse_note(text.encode() + b"\n" + answer.body).signatures:
            if (line.name, line.key_id) == (key.name, key.id):
                verify_cosignature(text, line, key)
                return line.text  # written anew: nothing else of the answer is passed on
    except (NotProven, Malformed) as error:
        raise WitnessLies("the co-signature is false, or the answer has another form") from error
    raise WitnessLies("the answer has no co-signature of the witness's key")


def _size(answer: Answer) -> int:
    text = answer.body[:32].decode("ascii", errors="replace")
    if not (text.endswith("\n") and text[:-1].isascii() and text[:-1].isdigit()):
        raise WitnessLies("the size it names is no number")
    return int(text[:-1])


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()
