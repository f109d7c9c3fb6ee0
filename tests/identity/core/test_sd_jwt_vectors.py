"""SD-JWT: the inputs of the RFC 9901 examples, issued, presented and verified by us.

The RFC's own outputs cannot be compared, because salts are random; what the holder discloses and
what the verifier then sees can. The `sd-jwt` package reads what we issue, as a second opinion on
the format (not on the rules: it forgives what the RFC forbids).
"""

import json
from typing import Any

import pytest
import yaml
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from identity.core.sd_jwt import (
    ClaimPath,
    add_key_binding,
    issue_sd_jwt,
    make_disclosures,
    parse_sd_jwt,
    present,
    verify_key_binding,
    verify_sd_jwt,
)
from tests.identity.core.signers import signer_of_jwk
from tests.vectors import vector_files, vectors_dir

FOLDER = vectors_dir() / "sd-jwt/examples"
CASES = vector_files("sd-jwt/examples/*/specification.yml")
SETTINGS = yaml.safe_load((FOLDER / "settings.yml").read_text("utf-8"))
ISSUER = signer_of_jwk(SETTINGS["key_settings"]["issuer_keys"][0])
HOLDER = signer_of_jwk(SETTINGS["key_settings"]["holder_key"])
NONCE, NOW = SETTINGS["key_binding_nonce"], SETTINGS["iat"]


class Marked:
    """A value tagged `!sd`: selectively disclosable."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Loader(yaml.SafeLoader):
    pass


def marked(loader: Loader, node: yaml.Node) -> Marked:
    if isinstance(node, yaml.MappingNode):
        return Marked(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return Marked(loader.construct_sequence(node, deep=True))
    tag = loader.resolve(yaml.ScalarNode, node.value, (node.style is None, False))
    plain = yaml.ScalarNode(tag, node.value, node.start_mark, node.end_mark, node.style)
    return Marked(loader.construct_object(plain))


Loader.add_constructor("!sd", marked)


def split(value: Any, path: tuple[str | int, ...] = ()) -> tuple[Any, list[ClaimPath]]:
    """Claims in clear, and the paths that were marked. A mark is on a name or on an element."""
    if isinstance(value, Marked):
        clear, paths = split(value.value, path)
        return clear, [path, *paths]
    if isinstance(value, dict):
        result, paths = {}, []
        for name, member in value.items():
            is_marked = isinstance(name, Marked)
            plain = name.value if is_marked else name
            result[plain], below = split(member, (*path, plain))
            paths += [(*path, plain), *below] if is_marked else below
        return result, paths
    if isinstance(value, list):
        results = [split(element, (*path, index)) for index, element in enumerate(value)]
        return [clear for clear, _ in results], [p for _, below in results for p in below]
    return value, []


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[ClaimPath]:
    """`holder_disclosed_claims` as paths."""
    if isinstance(value, dict):
        return [leaf for name, member in value.items() for leaf in leaves(member, (*path, name))]
    if isinstance(value, list):
        return [leaf for n, element in enumerate(value) for leaf in leaves(element, (*path, n))]
    return [path] if value else []


def prune(value: Any, wanted: list[ClaimPath], hidden: set[ClaimPath], path: ClaimPath = ()) -> Any:
    """What a verifier should see: everything but hidden claims that nothing wanted needs."""

    def kept(place: ClaimPath) -> bool:
        if place not in hidden:
            return True
        return any(place == path[: len(place)] or path == place[: len(path)] for path in wanted)

    if isinstance(value, dict):
        return {
            name: prune(member, wanted, hidden, (*path, name))
            for name, member in value.items()
            if kept((*path, name))
        }
    if isinstance(value, list):
        return [
            prune(element, wanted, hidden, (*path, index))
            for index, element in enumerate(value)
            if kept((*path, index))
        ]
    return value


class Example:
    def __init__(self, path: Any) -> None:
        specification = yaml.load(path.read_text("utf-8"), Loader)
        self.claims, self.paths = split(specification["user_claims"])
        # One example asks for claims under a name that it does not have; `present` refuses those.
        self.wanted = [
            path
            for path in leaves(specification["holder_disclosed_claims"])
            if path[0] in self.claims
        ]
        draws = iter(range(1, 10_000))
        payload, disclosures = make_disclosures(
            self.claims,
            paths=self.paths,
            random=lambda size: next(draws).to_bytes(size, "big"),
            decoys=3,
        )
        self.payload = {"iss": "https://issuer.example.com", **payload}
        self.expected = {"iss": "https://issuer.example.com", **self.claims}
        self.text = issue_sd_jwt(
            payload=self.payload,
            disclosures=disclosures,
            header={"typ": "dc+sd-jwt"},
            signer=ISSUER,
        )
        self.disclosures = disclosures


EXAMPLES = {path.parent.name: Example(path) for path in CASES}
each_example = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())


def test_the_vectors_are_here():
    assert len(CASES) == 15
    assert sum(len(example.paths) for example in EXAMPLES.values()) == 131


@each_example
def test_every_marked_claim_becomes_one_disclosure_and_leaves_the_payload(example):
    assert len(example.disclosures) == len(example.paths)
    hidden = prune(example.expected, [], set(example.paths))

    verified = verify_sd_jwt(parse_sd_jwt(example.text.split("~")[0] + "~"), key=ISSUER.key)

    assert verified.claims == hidden
    assert verified.disclosed == ()


@each_example
def test_all_disclosures_give_all_claims_back(example):
    verified = verify_sd_jwt(parse_sd_jwt(example.text), key=ISSUER.key)

    assert verified.claims == example.expected
    assert set(verified.disclosed) == set(example.paths)
    assert verified.payload == example.payload


@each_example
def test_the_holder_shows_what_the_example_says_and_nothing_else(example):
    shown = present(example.text, example.wanted)

    verified = verify_sd_jwt(parse_sd_jwt(shown), key=ISSUER.key)

    assert verified.claims == prune(example.expected, example.wanted, set(example.paths))


@each_example
def test_key_binding_there_and_back(example):
    shown = add_key_binding(
        present(example.text, example.wanted),
        signer=HOLDER,
        audience=SETTINGS["identifiers"]["verifier"],
        nonce=NONCE,
        issued_at=NOW,
    )

    unverified = parse_sd_jwt(shown)
    verify_sd_jwt(unverified, key=ISSUER.key)
    binding = verify_key_binding(
        unverified,
        holder_key=HOLDER.key,
        audience=SETTINGS["identifiers"]["verifier"],
        nonce=NONCE,
        now=NOW + 5,
        max_age_seconds=60,
    )

    assert binding.issued_at == NOW


@each_example
def test_another_implementation_reads_what_we_issue(example):
    key = JWK.from_json(json.dumps(ISSUER.key.jwk))

    read = SDJWTVerifier(example.text, lambda _issuer, _header: key).get_verified_payload()

    assert read == example.expected
