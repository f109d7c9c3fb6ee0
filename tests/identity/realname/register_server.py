"""A small real register server on loopback: signs what the embedded register answers."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from identity.adapters.embedded_register import EmbeddedRegister, invented_people
from identity.adapters.http_register import ANSWER_TYPE
from identity.adapters.key_files import key_from_seed
from identity.core.jose import sign_compact
from identity.core.signing import NamedSigner
from identity.realname.person_json import parse_date, person_members
from identity.realname.ports import NoMatch, NotAlive, PopulationRegister, RegisterQuery
from registry.core.encoding import base64url_encode
from registry.core.hashing import sha256
from registry.core.keys import KeyType


def new_signer() -> NamedSigner:
    return NamedSigner(key_from_seed(KeyType.ED25519, secrets.token_bytes(32)), "register")


@dataclass
class RegisterServer:
    """What the server does next, and what it has seen. Change the fields between questions."""

    now: Callable[[], int]
    signer: NamedSigner = field(default_factory=new_signer)
    register: PopulationRegister = field(
        default_factory=lambda: EmbeddedRegister(invented_people())
    )
    statuses: list[int] = field(default_factory=list)  # answered first, one a question
    typ: str = ANSWER_TYPE
    content_type: str = "application/jwt"
    claims: dict[str, Any] = field(default_factory=dict)  # put over the true ones
    dropped: tuple[str, ...] = ()
    rewrite: Callable[[str], str] = str  # what becomes of a token on its way
    headers: dict[str, str] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def answer(self, body: bytes) -> str:
        """The token for one question."""
        query = json.loads(body)
        claims: dict[str, Any] = {
            "request": base64url_encode(sha256(body)),
            "iat": self.now(),
        }
        try:
            person = self.register.lookup(
                RegisterQuery(
                    country=query["country"],
                    number=query["number"],
                    family_name=query["family_name"],
                    given_name=query["given_name"],
                    birth_date=parse_date(query["birth_date"]),
                )
            )
            claims |= {"result": "match", "person": person_members(person)}
        except NoMatch:
            claims["result"] = "no-match"
        except NotAlive:
            claims["result"] = "not-alive"
        claims |= self.claims
        for name in self.dropped:
            del claims[name]
        return self.rewrite(
            sign_compact(header={"typ": self.typ}, payload=claims, signer=self.signer)
        )


@contextmanager
def serving(server: RegisterServer) -> Iterator[RegisterServer]:
    """Serve on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            server.paths.append(self.path)
            server.bodies.append(body)
            status = server.statuses.pop(0) if server.statuses else 200
            text = server.answer(body).encode() if status == 200 else b"busy"
            self.send_response(status)
            self.send_header("content-type", server.content_type)
            self.send_header("content-length", str(len(text)))
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_port}/register/lookup"
    thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
