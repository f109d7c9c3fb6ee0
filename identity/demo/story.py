"""The story that must always run: six steps, each over HTTP, each checked and timed."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx2

from identity.demo.holder import HeldCopy, Holder, digest_of
from registry.core.any_trust_anchor import AnyTrustAnchor
from registry.core.encoding import JsonObject
from registry.core.receipt import parse_receipt, verify_receipt
from registry.core.refusals import Refusal

PATIENCE_SECONDS = 30.0  # how long the story waits for a receipt


class StoryFailed(Refusal):
    """The story did not go as told; the detail names the step and what was seen instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody invented, as the embedded population register knows her."""

    country: str
    number: str
    family_name: str
    given_name: str
    birth_date: str  # ISO 8601


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the story plays on.

    `base` is the public base URL; `keys` maps scopes (`issuer:civil-registry`) to access keys.
    """

    base: str
    http: httpx2.Client
    keys: Mapping[str, str]
    person: Person
    trust: AnyTrustAnchor
    random: Callable[[int], bytes]
    now: Callable[[], int]
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the story, told."""

    title: str
    seconds: float
    lines: list[str] = field(default_factory=list)


class Story:
    """Plays the steps in order; raises `StoryFailed` at the first that goes wrong."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._holder = Holder(
            http=stage.http, resolver=stage.base, random=stage.random, now=stage.now
        )
        self._subject = ""
        self._offer: JsonObject = {}
        self._copy: HeldCopy | None = None

    def tell(self) -> Iterator[Step]:
        """Play and tell step by step."""
        steps = (
            ("The civil registry proofs a person and binds her real name", self._enrol),
            ("Her wallet makes keys and receives her identity", self._receive),
            ("The credential is anchored; the receipt verifies offline", self._anchor),
            ("The bar asks her age and learns nothing else", self._show_age),
            ("The bank asks her name, with her consent", self._show_name),
            ("The university issues a degree to the same person", self._degree),
            ("A forged presentation is refused", self._forge),
            ("The agency suspends, reinstates, revokes: verifiers follow", self._revoke),
        )
        for title, play in steps:
            started = self._stage.clock()
            try:
                lines = play()
            except StoryFailed:
                raise
            except (Refusal, httpx2.HTTPError, KeyError) as error:
                reason = error.detail if isinstance(error, Refusal) else type(error).__name__
                raise StoryFailed(f"{title}: {reason}") from error
            yield Step(title=title, seconds=self._stage.clock() - started, lines=lines)

    def _enrol(self) -> list[str]:
        answer = self._enrol_at("civil-registry")
        self._subject = answer["subject"]
        return [
            f"assurance level {answer['assurance_level']}",
            "her number is in the vault; everybody else knows her as " + self._subject[:10] + "…",
        ]

    def _enrol_at(self, agency: str) -> JsonObject:
        person = self._stage.person
        return self._agency(
            agency,
            "/enrolments",
            {
                "country": person.country,
                "number": person.number,
                "family_name": person.family_name,
                "given_name": person.given_name,
                "birth_date": person.birth_date,
                "evidence": [{"type": "document"}, {"type": "biometric-match"}],
            },
        )

    def _receive(self) -> list[str]:
        offer = self._agency(
            "civil-registry",
            "/offers",
            {"subject": self._subject, "credential_type": "resident-identity", "tx_code": True},
        )
        copies = self._holder.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
        self._offer, self._copy = offer, copies[0]
        return [
            f"{len(copies)} copies of one credential, each with its own key, salt and status index"
        ]

    def _anchor(self) -> list[str]:
        height = self._anchored(self._held())
        return [f"in block {height}, under a root signed by the ledger; no server was asked"]

    def _anchored(self, copy: HeldCopy) -> int:
        """Wait for the receipt of a copy and verify it offline; the height of its block."""
        deadline = self._stage.clock() + PATIENCE_SECONDS
        while (receipt := self._holder.receipt(copy)) is None:
            if self._stage.clock() > deadline:
                raise StoryFailed(f"no receipt after {PATIENCE_SECONDS:.0f} s")
            self._stage.sleep(0.1)
        return verify_receipt(
            parse_receipt(receipt),
            digest=digest_of(copy),
            anchor=self._stage.trust,
            now=int(time.time()),
        ).height

    def _show_age(self) -> list[str]:
        verdict = self._present("bar", "age-check", self._held())
        self._expect_yes(verdict)
        claims = verdict["credentials"][0]["claims"]
        if claims != {"age_over_18": True}:
            raise StoryFailed(f"the bar learned {sorted(claims)}")
        return ["verified: over 18 is all that the bar learned", _told(verdict)]

    def _show_name(self) -> list[str]:
        copies = self._holder.copies
        verdict = self._present("bank", "account-opening", copies[1 % len(copies)])
        self._expect_yes(verdict)
        claims = verdict["credentials"][0]["claims"]
        if sorted(claims) != ["family_name", "given_name"]:
            raise StoryFailed(f"the bank learned {sorted(claims)}")
        return ["verified: the bank learned her name, under another key than the bar saw"]

    def _degree(self) -> list[str]:
        # Each agency knows her under a name of its own; only the vault knows that they are one.
        subject = self._enrol_at("university")["subject"]
        if subject == self._subject:
            raise StoryFailed("two agencies know one person under the same name")
        offer = self._agency(
            "university",
            "/offers",
            {
                "subject": subject,
                "credential_type": "degree",
                "tx_code": True,
                "claims": {
                    "degree_name": "Master of Science",
                    "degree_level": "master",
                    "field_of_study": "Hydrology",
                    "awarded_on": "2024-07-01",
                    "institution": "Riverland University",
                },
            },
        )
        copies = self._holder.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"])
        self._anchored(copies[0])
        verdict = self._present("bank", "degree-check", copies[0])
        self._expect_yes(verdict)
        return ["verified: a degree from an issuer accredited for degrees, and for nothing else"]

    def _forge(self) -> list[str]:
        def change_one_byte(text: str) -> str:
            # Inside the issuer's signature, so that nothing but the proof is wrong.
            jwt, rest = text.split("~", 1)
            place = len(jwt) - 20
            other = "A" if jwt[place] != "A" else "B"
            return jwt[:place] + other + jwt[place + 1 :] + "~" + rest

        verdict = self._present("bar", "age-check", self._held(), alter=change_one_byte)
        self._expect_no(verdict, "proof")
        return ["one changed byte: not verified, because of " + ", ".join(_failed(verdict))]

    def _revoke(self) -> list[str]:
        told = []
        for change, purpose, value, expected in (
            ("suspended", "suspension", "1", "no"),
            ("reinstated", "suspension", "0", "yes"),
            ("revoked", "revocation", "1", "no"),
        ):
            started = self._stage.clock()
            self._agency(
                "civil-registry",
                "/credentials/status",
                {
                    "credentialId": self._credential_id(),
                    "credentialStatus": [
                        {
                            "type": "BitstringStatusListEntry",
                            "statusPurpose": purpose,
                            "status": value,
                        }
                    ],
                },
            )
            while True:
                verdict = self._present("bar", "age-check", self._held())
                if ("yes" if verdict["verified"] else "no") == expected:
                    break
                if self._stage.clock() - started > 60:
                    raise StoryFailed(f"{change}: verifiers still disagree after 60 s")
                self._stage.sleep(1)
            if expected == "no":
                self._expect_no(verdict, "status")
            seconds = self._stage.clock() - started
            told.append(f"{change}: every verifier says {expected} {seconds:.1f} s later")
        return told

    def _credential_id(self) -> str:
        identifier: str = self._offer["credential_id"]
        return identifier

    def _present(
        self,
        party: str,
        purpose: str,
        copy: HeldCopy,
        alter: Callable[[str], str] = lambda text: text,
    ) -> JsonObject:
        stage, base = self._stage, f"{self._stage.base}/verifiers/{party}"
        request = self._call(
            stage.http.post(
                f"{base}/requests",
                headers={"Authorization": f"Bearer {stage.keys[f'verifier:{party}']}"},
                json={"purpose": purpose},
            )
        )
        asked = self._holder.read_request(request["link"])
        self._holder.answer_request(asked, copy=copy, alter=alter)
        result = self._call(
            stage.http.get(
                f"{base}/requests/{request['request']}/result",
                headers={"Authorization": f"Bearer {request['result_secret']}"},
            )
        )
        if result["state"] != "answered":
            raise StoryFailed(f"{party}: the request is {result['state']}, not answered")
        verdict: JsonObject = result["verdict"]
        return verdict

    def _agency(self, agency: str, path: str, body: JsonObject) -> JsonObject:
        stage = self._stage
        return self._call(
            stage.http.post(
                f"{stage.base}/issuers/{agency}{path}",
                headers={"Authorization": f"Bearer {stage.keys[f'issuer:{agency}']}"},
                json=body,
            )
        )

    def _held(self) -> HeldCopy:
        if self._copy is None:
            raise StoryFailed("the wallet holds nothing")
        return self._copy

    @staticmethod
    def _call(response: httpx2.Response) -> JsonObject:
        if response.is_error:
            raise StoryFailed(f"{response.status_code} {response.text[:300]}")
        body: JsonObject = response.json() if response.content else {}
        return body

    @staticmethod
    def _expect_yes(verdict: JsonObject) -> None:
        if verdict["verified"] is not True:
            raise StoryFailed("expected yes, got no: " + ", ".join(_failed(verdict)))

    @staticmethod
    def _expect_no(verdict: JsonObject, check: str) -> None:
        if verdict["verified"] is not False or not any(
            item.startswith(f"{check}:") for item in _failed(verdict)
        ):
            raise StoryFailed(f"expected no because of {check}, got {_failed(verdict)}")


def _failed(verdict: JsonObject) -> list[str]:
    return [
        f"{item['check']}:{item['reason']}"
        for item in verdict["checks"]
        if item["outcome"] == "failed"
    ]


def _told(verdict: JsonObject) -> str:
    passed = [item["check"] for item in verdict["checks"] if item["outcome"] == "passed"]
    return "checks passed: " + ", ".join(passed)
