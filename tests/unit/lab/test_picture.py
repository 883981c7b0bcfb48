"""README's pictures are those of the recording beside them, and say so when a recording lacks something."""

from __future__ import annotations

import html
import re

import pytest

from lab.paths import REPOSITORY
from lab.picture import FOLDER, RECORDING, main, pictures, without_machine

TEXT = RECORDING.read_text()


@pytest.mark.parametrize("name", ["preview.svg", "answer.svg"])
def test_a_picture_is_the_one_of_the_recording(name: str) -> None:
    drawn = pictures(TEXT)[name]
    assert (FOLDER / name).read_text() == drawn
    assert f"docs/pictures/{name}" in (REPOSITORY / "README.md").read_text()


def test_the_pictures_show_the_diff_and_both_answers() -> None:
    shown = {
        name: html.unescape(re.sub("<[^>]*>", "", svg)).replace("\xa0", " ") for name, svg in pictures(TEXT).items()
    }
    assert "+    - --audit-log-path=/var/log/kubernetes/audit/audit.log" in shown["preview.svg"]
    assert "cp1: restart: seamless" in shown["preview.svg"]
    assert "alice@example.com" in shown["answer.svg"]
    assert "Cannot be known" in shown["answer.svg"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    for svg in pictures(TEXT).values():
        assert set(re.findall(r"https?://[^\"')\s]+", svg)) == {"http://www.w3.org/2000/svg"}


def test_the_recording_names_no_machine() -> None:
    assert "~/kubernetes-audit/.lab/" in TEXT
    assert without_machine(f"-i {REPOSITORY}/.lab/ssh/id") == "-i ~/kubernetes-audit/.lab/ssh/id"


@pytest.mark.parametrize(
    ("recording", "says"),
    [
        ("nothing", "no step 1, 4, 5"),
        (TEXT.replace("--- /etc/kubernetes/manifests", "--- elsewhere"), "was audit logging on already?"),
    ],
)
def test_a_recording_without_what_is_drawn_is_refused(recording: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        pictures(recording)


def test_wrong_usage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 2
    assert "usage: python -m lab.picture" in capsys.readouterr().err
