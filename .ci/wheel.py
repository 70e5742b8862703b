"""Build the wheel, install it into an empty environment, and try it in an empty folder.

The folder has nothing of the repository, so that what runs there runs from the wheel alone. Ends
with one line, or with the output of what failed.

    python .ci/wheel.py [PIP'S ARGUMENTS]      # all libraries are installed, as at a user's
    python .ci/wheel.py --libraries-of VENV    # those of VENV are used: a minute instead of many

Either way every library that the wheel imports must be among its dependencies or extras.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
WANTED = {
    "realtime/message.schema.json",
    "realtime/mafnet-live.service",
    "realtime/web/static/live.html",
    "realtime/web/static/live.js",
    "realtime/web/static/style.css",
    "realtime/py.typed",
    "mafnet/py.typed",
    "extractors/py.typed",
    "export/py.typed",
    "teaching/py.typed",
    "weights/py.typed",
    "weights/starter/bundle.json",
    "weights/starter/audio.safetensors",
    "weights/starter/head.safetensors",
    "weights/starter/README.md",
    "weights/starter/NOTICE.txt",
}
PACKAGES = {"realtime", "export", "mafnet", "extractors", "teaching", "weights"}
LICENCES = {"LICENSE", "NOTICE.txt", "LICENCE-APACHE-2.0.txt", "README.md"}
COMMANDS = (
    "mafnet-live",
    "mafnet-subscribe",
    "mafnet-keys",
    "mafnet-history",
    "mafnet-rules",
    "mafnet-weights",
    "mafnet-train",
    "mafnet-export",
    "mafnet-completion",
)
ENDPOINT = "tcp://127.0.0.1:5597"
TIMEOUT_S = 300
MAKE_CLIP = ROOT / ".ci" / "make_clip.py"  # its folder has no package of ours beside it


def main() -> int:
    """Do it all; return the exit code."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wheel = build(place / "wheel")
        check_contents(wheel)
        check_dependencies(wheel)
        tell("built", began_s)
        bin_folder = install(wheel, place / "environment", sys.argv[1:])
        tell("installed", began_s)
        empty = place / "empty"
        empty.mkdir()
        try_it(bin_folder, empty)
    tell("it runs from an empty folder", began_s)
    return 0


def tell(what: str, began_s: float) -> None:
    """Say how far it has come."""
    print(f"wheel: {what} ({time.monotonic() - began_s:.0f} s)", flush=True)


def run(*words: str | Path, cwd: Path, timeout_s: float = TIMEOUT_S) -> str:
    """Run a command to its end; return its stdout, or end with all that it said."""
    result = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
        sys.exit(f"wheel: {' '.join(map(str, words))} ended with {result.returncode}")
    return result.stdout


def require(condition: bool, sentence: str) -> None:
    """End with a sentence unless something holds."""
    if not condition:
        sys.exit(f"wheel: {sentence}")


def build(folder: Path) -> Path:
    """Build from a copy: what an earlier build left in `build/` would be packed too."""
    source = folder / "source"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, names.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source, cwd=ROOT
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Hold the wheel to carrying what a user needs and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = archive.read(metadata).decode()
    require(names >= WANTED, f"it lacks {sorted(WANTED - names)}")
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    require(tops == PACKAGES, f"it holds {sorted(tops)}, {sorted(PACKAGES)} are wanted")
    licences = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    require(licences == LICENCES, f"its licences are {sorted(licences)}")
    require("License-Expression: Apache-2.0 AND" in about, "it does not say its licence")
    extras = set(re.findall(r"^Provides-Extra: (.+)$", about, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = set(project["optional-dependencies"])
    require(
        extras == stated,
        f"its extras are {sorted(extras)}, pyproject.toml states {sorted(stated)}",
    )


def check_dependencies(wheel: Path) -> None:
    """Hold the wheel to asking for every library that it imports; some are for extras."""
    imported: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                for node in ast.walk(ast.parse(archive.read(name))):
                    if isinstance(node, ast.Import):
                        imported |= {alias.name.split(".")[0] for alias in node.names}
                    elif isinstance(node, ast.ImportFrom) and not node.level:
                        imported.add(str(node.module).split(".")[0])
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    asked = {plain(name) for name in re.findall(r"^Requires-Dist: ([\w.-]+)", text, re.MULTILINE)}
    brought_by = packages_distributions()
    for name in sorted(imported - PACKAGES - sys.stdlib_module_names):
        makers = {plain(maker) for maker in brought_by.get(name, [name])}
        require(bool(makers & asked), f"it imports {name} and does not ask for {sorted(makers)}")


def plain(name: str) -> str:
    """Return a distribution's name as all of its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install(wheel: Path, folder: Path, arguments: list[str]) -> Path:
    """Install into an environment that has nothing; return its `bin`."""
    venv.create(folder, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    if arguments[:1] == ["--libraries-of"]:
        # Behind the environment's own, and its .pth files are not read: no checkout comes with it.
        (theirs,) = (ROOT / arguments[1]).resolve().glob("lib/python*/site-packages")
        (ours,) = folder.glob("lib/python*/site-packages")
        (ours / "libraries.pth").write_text(f"{theirs}\n", encoding="utf-8")
        run(*pip, "--no-deps", "--ignore-installed", wheel, cwd=folder)
        return folder / "bin"
    constraints = ROOT / "constraints.txt"
    run(*pip, *arguments, "-c", constraints, wheel, cwd=folder, timeout_s=1200)
    return folder / "bin"


def try_it(bin_folder: Path, empty: Path) -> None:
    """Run the demo, a clip, a program, and a subscriber."""
    live = bin_folder / "mafnet-live"
    for command in COMMANDS:
        said = run(bin_folder / command, "--help", cwd=empty)
        require(said.startswith(f"usage: {command} "), f"{command} calls itself {said[:40]!r}")
    require("starter" in run(bin_folder / "mafnet-weights", "verify", cwd=empty), "no starter")
    run(bin_folder / "mafnet-keys", "server", "keys", cwd=empty)

    run(bin_folder / "python", MAKE_CLIP, cwd=empty)
    said = run(live, "--source", "clip.mp4", "--log-json", "--no-publish", cwd=empty)
    require('"label":"Siren"' in said, f"no siren in the clip: {said[:500]}")
    program = (
        'from realtime import recognize\nfor e in recognize("clip.mp4"): print(e.label, e.onset_s)'
    )
    said = run(bin_folder / "python", "-c", program, cwd=empty)
    require(said.startswith("Siren "), f"a program is told {said!r}")
    demo = subprocess.Popen(
        [live, "--source", "demo", "--pace", "--bind", ENDPOINT, "--no-dashboard"],
        cwd=empty,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        flags = ["--label", "siren", "--count", "1", "--timeout", "120"]
        heard = run(bin_folder / "mafnet-subscribe", ENDPOINT, *flags, cwd=empty)
    finally:
        demo.terminate()
        said, _ = demo.communicate(timeout=60)
    require("Siren" in heard, f"the subscriber heard {heard!r}; the demo said {said}")
    require(demo.returncode == 143, f"the demo ended with {demo.returncode}: {said}")


if __name__ == "__main__":
    sys.exit(main())
