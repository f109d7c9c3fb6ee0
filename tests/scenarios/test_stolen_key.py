"""A stolen signing key: what it signed since is refused, what was anchored before is not."""

import time
from collections.abc import Callable

from typer.testing import CliRunner

from identity.cli.main import app
from identity.demo.holder import digest_of
from registry.core.encoding import base64url_decode, parse_json_object
from tests.scenarios.installation import DEMO, Installation, person
from tests.scenarios.showing import show

WHO = 14


def test_from_a_height_on_the_key_counts_for_nothing(
    make_installation: Callable[..., Installation],
) -> None:
    here = make_installation()  # whose key is ruined for everybody
    here.start()
    before = here.issue(person(WHO))
    receipt = before.wallet.receipt(before.copies[0])
    assert receipt is not None
    assert show(here, before.wallet, before.copies[0]).verified
    after = here.issue(person(WHO + 1))
    later = here.anchored(after.wallet, after.copies[0])
    header = after.copies[0].text.split(".", 1)[0]
    did, _, fragment = str(parse_json_object(base64url_decode(header))["kid"]).partition("#")
    assert digest_of(after.copies[0]) != digest_of(before.copies[0])

    rooted = ["--config", str(DEMO), "--data", str(here.data.root), "--base", here.address]
    what = ["--did", did, "--fragment", fragment, "--from-height", str(later.height)]
    done = CliRunner().invoke(app, ["issuer", "declare-stolen", *what, *rooted])

    assert done.exit_code == 0, done.output
    since = time.monotonic()
    while (shown := show(here, after.wallet, after.copies[0])).verified:
        assert time.monotonic() - since < 60
        time.sleep(0.2)
    assert shown.failed == {"issuer": "key_compromised"}
    assert show(here, before.wallet, before.copies[0]).verified
