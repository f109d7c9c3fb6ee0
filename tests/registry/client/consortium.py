"""Members of an invented consortium: an embedded ledger whose heads its validators have signed.

The ledger is real, and so are its proofs; validators and blocks of the engine are made up. Ledger
height h stands in the engine's header 10 h + 10. One validator changes every `every` headers.
"""

import json
from dataclasses import dataclass, field

from registry.client.transport import Answer, NodeUnreachable, Transport
from registry.core.checkpoint import Head, parse_head
from registry.core.consortium_anchor import ConsortiumAnchor, first_anchor
from registry.core.consortium_head import app_hash, write_consortium_head
from registry.core.light_client.encodings import light_block_bytes
from registry.core.light_client.light_block import NANOSECONDS, LightBlock
from tests.registry.authors import CREATED, NETWORK, genesis
from tests.registry.core.light_client.chain import Step, block_of, members

SPACING = 10  # engine heights between two heights of the ledger


@dataclass
class Consortium:
    """What the engine's blocks look like."""

    every: int = 10**9  # engine heights after which one validator is replaced
    lie: bytes = b""  # when not empty, headers carry it as an evidence hash: another history
    heads: dict[int, Head] = field(default_factory=dict)  # by engine height

    def seeds(self, height: int) -> tuple[int, ...]:
        first = 1 + (height - 1) // self.every
        return tuple(range(first, first + 4))

    def block(self, height: int) -> LightBlock:
        below = [at for at in self.heads if at <= height]
        step = Step(
            height,
            members(*self.seeds(height)),
            members(*self.seeds(height + 1)),
            app_hash=app_hash(self.heads[max(below)]) if below else bytes(32),
            time=(CREATED + height) * NANOSECONDS + len(self.lie),
        )
        return block_of(step, signers=self.seeds(height))

    def seal(self, text: str) -> str:
        head = parse_head(text).claimed
        height = SPACING * head.height + SPACING
        self.heads[height] = head
        return write_consortium_head(head, light_block_bytes(self.block(height)))

    def anchor(self) -> ConsortiumAnchor:
        roots = [member.did for member in genesis().members]
        return first_anchor(network=NETWORK, block=self.block(1), roots=roots)


@dataclass
class Member(Transport):
    """One member's registry over HTTP, which may be dead, or hold back what is new."""

    inner: Transport
    consortium: Consortium
    alive: bool = True
    newest: int = 1  # engine height of its newest block
    frozen: dict[str, Answer] | None = None  # what it goes on answering
    withheld: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def get(self, path: str) -> Answer:
        return self._answer(path, lambda: self.inner.get(path))

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        return self._answer(path, lambda: self.inner.post(path, body, content_type))

    def _answer(self, path, ask) -> Answer:  # type: ignore[no-untyped-def]
        self.asked.append(path)
        if not self.alive:
            raise NodeUnreachable("dead")
        if path.startswith("/registry/light-blocks/"):
            asked = path.rpartition("/")[2]
            height = self.newest if asked == "latest" else int(asked)
            if height in self.withheld:
                return Answer(404, {}, b"{}")
            return Answer(200, {}, light_block_bytes(self.consortium.block(height)))
        if self.frozen is not None and path in self.frozen:
            return self.frozen[path]
        answer = self._sealed(path, ask())
        if self.frozen is not None:
            self.frozen[path] = answer
        return answer

    def _sealed(self, path: str, answer: Answer) -> Answer:
        if path.startswith("/registry/head"):
            return answer._replace(body=self.consortium.seal(answer.body.decode()).encode())
        if answer.status >= 300 or not answer.body.startswith(b"{"):
            return answer
        body = json.loads(answer.body)
        if "head" in body:
            body["head"] = self.consortium.seal(body["head"])
        if "heads" in body:
            body["heads"] = [self.consortium.seal(text) for text in body["heads"]]
        return answer._replace(body=json.dumps(body).encode())
