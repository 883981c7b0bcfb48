"""``python -m lab.package_sdks``: the package's SDKs from its schema, and its README's examples checked against them.

Everything lies in ``.lab/sdks``, a folder for each language. Java has no generator that is a Go module, and .NET no
compiler here: their examples are checked by name only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab import build, tools
from lab.errors import LabError
from lab.paths import REPOSITORY, Paths

SCHEMA = REPOSITORY / "package" / "schema.json"
README = REPOSITORY / "package" / "README.md"
NPM = REPOSITORY / "lab" / "sdks"
"""Pins what the TypeScript SDK is compiled with."""

_IMPORT = "example.com/pulumi-kubernetes-audit/sdk/go"
_GO_PROGRAM = f"""package main

import (
	"{_IMPORT}/kubernetesaudit"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {{
	pulumi.Run(func(ctx *pulumi.Context) error {{
		%s
		if err != nil {{
			return err
		}}
		ctx.Export("queries", production.Queries)
		return nil
	}})
}}
"""


def generate(folder: Path) -> None:
    """Generates the SDKs below the folder, which is emptied first. LabError if a generator refuses the schema."""
    tool = tools.package_sdks()
    build.build(Paths.of(), [tool])
    shutil.rmtree(folder, ignore_errors=True)
    _run([str(tool.path(Paths.of())), str(SCHEMA), str(folder)], REPOSITORY)


def example(language: str) -> str:
    """The README's program in a language, by the name of its code block."""
    found = re.search(rf"^```{re.escape(language)}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise LabError(f"{README} has no example in {language}")
    return found.group(1)


def check_go(folder: Path) -> str:
    """Compiles the SDK and the example with ``go vet``."""
    pins = tools.package_sdks().source
    text = (pins / "go.mod").read_text()
    (folder / "go.mod").write_text(re.sub(r"^module .*", f"module {_IMPORT}", text))
    shutil.copy(pins / "go.sum", folder / "go.sum")
    (folder / "example").mkdir()
    (folder / "example" / "main.go").write_text(_GO_PROGRAM % example("go").rstrip())
    _run([str(build.find_go()), "vet", "-trimpath", "-mod=mod", "./..."], folder, build.go_environment())
    return "SDK and example compile"


def check_nodejs(folder: Path) -> str:
    """Type-checks the SDK and the example with the TypeScript compiler."""
    installed = folder.parent / "npm"
    installed.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, installed / name)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], installed)
    (folder / "node_modules").symlink_to(installed / "node_modules")
    (folder / "example.ts").write_text(example("typescript").replace('"@pulumi/kubernetes-audit"', '"./index"'))
    settings = json.loads((folder / "tsconfig.json").read_text())
    # Declarations that packages bring along are theirs to check.
    settings["compilerOptions"] |= {"noEmit": True, "skipLibCheck": True}
    settings["files"].append("example.ts")
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    _run(["node", "node_modules/typescript/bin/tsc", "--project", "."], folder)
    return "SDK and example type-check"


def check_python(folder: Path) -> str:
    """Type-checks the example against the SDK with mypy, not what the generator leaves untyped in the SDK itself."""
    (folder / "example.py").write_text(example("python"))
    _run(
        [sys.executable, "-m", "mypy", "--config-file", "", "--strict", "--follow-imports", "silent", "example.py"],
        folder,
    )
    return "SDK and example type-check"


def check_dotnet(folder: Path) -> str:
    """Whether each property that the example sets is one of the generated classes."""
    source = "\n".join(file.read_text() for file in folder.rglob("*.cs"))
    names = set(re.findall(r"^\s+(\w+) =", example("csharp"), re.MULTILINE)) | set(
        re.findall(r"new (\w+Args)\b", example("csharp"))
    )
    _known(names, {name for name in names if re.search(rf"\b{name}\b", source)}, "the generated C#")
    return "generated; the example's names are in it; not compiled"


def check_java(_: Path) -> str:
    """Whether each setter of the example is a property of the schema."""
    text = SCHEMA.read_text()
    names = set(re.findall(r"\.(\w+)\(", example("java"))) - {"builder", "build", "config", "requireSecret"}
    _known(names, {name for name in names if f'"{name}": {{' in text}, "the schema")
    return "not generated; the example's names are in the schema"


CHECKS: Mapping[str, Callable[[Path], str]] = {
    "go": check_go,
    "nodejs": check_nodejs,
    "python": check_python,
    "dotnet": check_dotnet,
    "java": check_java,
}


def main(languages: Sequence[str]) -> int:
    """Checks these languages, all if none are named; gives the exit code."""
    unknown = [each for each in languages if each not in CHECKS]
    if unknown:
        print(f"{', '.join(unknown)}: no such language; allowed: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    folder = REPOSITORY / ".lab" / "sdks"
    failed = 0
    try:
        generate(folder)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    for language in languages or CHECKS:
        try:
            print(f"{language}: {CHECKS[language](folder / language)}", flush=True)
        except LabError as error:
            print(f"{language}: FAILED\n{error}", flush=True)
            failed = 1
    return failed


def _known(names: set[str], found: set[str], where: str) -> None:
    if not names or names - found:
        raise LabError(f"not in {where}: {', '.join(sorted(names - found)) or 'an example'}")


def _run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(variables or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode != 0:
        raise LabError(f"{' '.join(command)}\n{result.stdout.strip()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
