"""What a conformance installation prints: its instances with their DIDs, and its verifiers."""

from rich.console import Console

from identity.compose import Composition


def print_instances(composition: Composition, console: Console) -> None:
    """Names, addresses and DIDs, for the configuration of an outside test suite."""
    settings = composition.settings
    base = settings.server.public_base_url
    if not composition.instances:
        return
    console.print("  NOT SECRET: the keys of these instances are known to everybody.")
    for instance in composition.instances:
        slug = instance.settings.slug
        console.print(
            f"  {slug:<22} {base}/issuers/{slug}/credentials/issue", soft_wrap=True, emoji=False
        )
        console.print(f"  {'':<22} {instance.did}", soft_wrap=True, emoji=False)
    for verifier in settings.verifiers:
        console.print(
            f"  {verifier.slug:<22} {base}/verifiers/{verifier.slug}", soft_wrap=True, emoji=False
        )
    console.print()
