"""``python -m lab.workflows``: checks GitHub's workflows with actionlint, GitLab's pipelines with GitLab's schema."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import build
from lab.paths import REPOSITORY, Paths
from lab.tools import Tool

ACTIONLINT = Tool(
    name="actionlint",
    module="actionlint",
    package="github.com/rhysd/actionlint/cmd/actionlint",
    upstream="github.com/rhysd/actionlint",
)
PIPELINE = REPOSITORY / ".gitlab-ci.yml"


def gitlab_child_pipeline() -> str:
    """What ``ci/gitlab-pipeline`` prints."""
    return subprocess.run([REPOSITORY / "ci/gitlab-pipeline"], text=True, capture_output=True, check=True).stdout


def gitlab_included(include: Mapping[str, Any]) -> str:
    """The file of an entry of ``include``, with its inputs in place, as GitLab makes a pipeline of it.

    Raises ValueError if the file does not declare just these inputs.
    """
    header, _, text = (REPOSITORY / str(include["local"]).lstrip("/")).read_text().partition("\n---\n")
    declared = yaml.safe_load(header)["spec"]["inputs"]
    if declared.keys() != include["inputs"].keys():
        raise ValueError(f"{include['local']} declares the inputs {[*declared]}, and is given {[*include['inputs']]}")
    for name, value in include["inputs"].items():
        text = text.replace(f"$[[ inputs.{name} ]]", value)
    return text


def main() -> int:
    """Builds actionlint where it is missing; gives the first exit code that is not 0."""
    paths = Paths.of()
    build.build(paths, [ACTIONLINT])
    return subprocess.run([ACTIONLINT.path(paths)], cwd=REPOSITORY, check=False).returncode or _gitlab()


def _gitlab() -> int:
    child = gitlab_child_pipeline()
    texts = [PIPELINE.read_text(), child, *map(gitlab_included, yaml.safe_load(child)["include"])]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"pipeline-{number}.yml" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
        command = [str(Path(sys.executable).with_name("check-jsonschema")), "--quiet", *schema, *map(str, files)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
