"""Coverage-guided runs of every parser: `python -m tests.fuzz [EXECUTIONS] [TARGET] [SEED]`.

Each target runs in a process of its own under atheris, from the seeds in `corpus/`. What makes
something else than a refusal leave a parser is printed and kept by libFuzzer in the working folder
that the last line names; put it into `corpus/` once it is mended.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.corpus import FOLDER
from tests.fuzz.names import NAMES

MAX_LEN, SECONDS_PER_INPUT, MEMORY_MB = 16_384, 20, 2_048


def command(name: str, executions: int, seed: int, work: Path) -> list[str]:
    """What runs one target."""
    return [
        *(sys.executable, "-W", "ignore", "-m", "tests.fuzz.one", name),
        *(f"-runs={executions}", f"-seed={seed}", f"-max_len={MAX_LEN}"),
        *(f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1"),
        *(f"-artifact_prefix={work}/", str(work / "corpus"), str(FOLDER / name)),
    ]


def fuzz(name: str, executions: int, seed: int) -> int:
    """Run one target; how often it was executed. Raises SystemExit for a finding."""
    work = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    (work / "corpus").mkdir()
    result = subprocess.run(
        command(name, executions, seed, work), capture_output=True, text=True, check=False
    )
    lines = result.stderr.splitlines()
    done = [line for line in lines if line.startswith("stat::number_of_executed_units:")]
    if result.returncode != 0 or not done:
        print("\n".join((result.stdout + result.stderr).splitlines()[-40:]))
        raise SystemExit(f"{name}: seed {seed}: a finding, kept in {work}")
    return int(done[0].rpartition(":")[2])


def main() -> None:
    """All targets, or one; fewer executions than were asked for is a failure."""
    executions = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    names = [sys.argv[2]] if len(sys.argv) > 2 else list(NAMES)
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    for name in names:
        started = time.monotonic()
        done = fuzz(name, executions, seed)
        if done < executions:
            raise SystemExit(f"{name}: {done} executions are fewer than {executions}")
        print(f"{name}: {done} executions, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{len(names)} targets, seed {seed}: only refusals left them")


if __name__ == "__main__":
    main()
