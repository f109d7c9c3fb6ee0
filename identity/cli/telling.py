"""Plays the story against a running installation and prints each step with its time."""

import secrets
import time

import httpx2
from rich.console import Console

from identity.adapters.embedded_register import invented_people
from identity.adapters.secret_files import read_access_keys
from identity.compose import Composition
from identity.demo.story import Person, Stage, Story

HTTP_SECONDS = 30.0


def tell(composition: Composition, console: Console, *, person_index: int = 0) -> float:
    """Tell the story once.

    Args:
        composition: served under its public base URL.
        console: where to print.
        person_index: which of the invented people it is about.

    Returns:
        Seconds that it took.

    Raises:
        StoryFailed: a step went wrong.
    """
    settings = composition.settings
    found = [entry for entry in invented_people() if entry.alive][person_index]
    person = Person(
        country=found.country,
        number=found.number,
        family_name=found.person.family_name,
        given_name=found.person.given_name,
        birth_date=found.person.birth_date.isoformat(),
    )
    with httpx2.Client(timeout=HTTP_SECONDS, trust_env=False) as http:
        stage = Stage(
            base=settings.server.public_base_url,
            http=http,
            keys=read_access_keys(composition.folder.secrets),
            person=person,
            trust=composition.trust,
            random=secrets.token_bytes,
            now=lambda: int(time.time()),
        )
        total = 0.0
        for number, step in enumerate(Story(stage).tell(), start=1):
            total += step.seconds
            console.print(f"[bold]{number}. {step.title}[/bold]  {step.seconds:.2f} s")
            for line in step.lines:
                console.print(f"     {line}")
    console.print(f"told in {total:.1f} s")
    return total
