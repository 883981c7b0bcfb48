"""Compare and swap on files alone: what somebody else writes in the middle is never overwritten and never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.shell import REAL_EXCHANGE, run

READ = sha256("as it was read")
REAL = 'real_exchange "$1" "$2"'
WITHOUT_A_TOOL = "exchange() { return 1; }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "archive").mkdir()
    (tmp_path / "live").write_text("as it was read")
    (tmp_path / "new").write_text("new")
    return tmp_path


def place(folder: Path, before: str = "", known: str = READ) -> tuple[int, str]:
    """Puts the new file in place; the status and everything that was printed."""
    result = run(
        folder,
        f"{before}chown() {{ :; }}\nplace {folder}/new {folder}/live 600 '{known}' || {{ echo \"$problem\"; exit 1; }}",
    )
    return result.returncode, result.stdout + result.stderr


def kept(folder: Path) -> set[str]:
    """The texts in the archive."""
    return {path.read_text() for path in (folder / "archive").rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", ["", WITHOUT_A_TOOL], ids=["exchange", "links"])
def test_the_new_file_comes_and_the_old_one_waits_in_the_slot(folder: Path, before: str) -> None:
    inode = (folder / "live").stat().st_ino
    assert place(folder, before)[0] == 0
    assert (folder / "live").read_text() == "new"
    assert (folder / "live").stat().st_mode & 0o777 == 0o600
    slot = folder / ".live.kubernetes-audit-displaced"
    assert (slot.read_text(), slot.stat().st_ino) == ("as it was read", inode)


@pytest.mark.parametrize("before", ["", WITHOUT_A_TOOL], ids=["exchange", "links"])
def test_an_empty_folder_that_a_container_runtime_made_of_a_missing_file_gives_way(folder: Path, before: str) -> None:
    live, slot = folder / "live", folder / ".live.kubernetes-audit-displaced"
    live.unlink()
    live.mkdir()
    slot.mkdir()
    assert place(folder, before, known="absent")[0] == 0
    assert live.read_text() == "new"
    live.unlink()
    live.mkdir()
    slot.mkdir()
    assert run(folder, f"clear_slot {live} absent && withdraw {live} {sha256('new')}").returncode == 0
    assert not live.exists()
    assert not slot.exists()


def test_a_folder_that_is_made_again_right_before_the_exchange_gives_way(folder: Path) -> None:
    live = folder / "live"
    live.unlink()
    again = f'ln() {{ mkdir {folder}/once 2>/dev/null && mkdir "$3"; command ln "$@"; }}\n'
    assert place(folder, again, known="absent")[0] == 0
    assert live.read_text() == "new"
    assert run(folder, f"clear_slot {live} absent").returncode == 0
    assert not (folder / ".live.kubernetes-audit-displaced").exists()


def test_a_folder_with_something_in_it_stays(folder: Path) -> None:
    live = folder / "live"
    live.unlink()
    live.mkdir()
    (live / "theirs").write_text("theirs")
    assert place(folder)[0] == 1
    assert (live / "theirs").read_text() == "theirs"


@pytest.mark.parametrize("before", ["", WITHOUT_A_TOOL], ids=["exchange", "links"])
def test_another_text_than_was_read_stays_and_both_are_kept(folder: Path, before: str) -> None:
    (folder / "live").write_text("theirs")
    status, said = place(folder, before)
    assert status == 1
    assert "live was changed by somebody else while this change was made, and stays as they left it" in said
    assert (folder / "live").read_text() == "theirs"
    assert {"theirs", "new"} <= kept(folder)


def renamed_in_between(folder: Path, tool: str) -> str:
    """The first exchange comes after somebody else's rename."""
    theirs = f"printf theirs >{folder}/their.new; command mv {folder}/their.new {folder}/live"
    once = f"if [ ! -e {folder}/done ]; then touch {folder}/done; {theirs}; fi"
    return f"{REAL_EXCHANGE}exchange() {{ {once}; {tool or REAL}; }}\n"


def test_what_is_renamed_in_between_is_put_back(folder: Path) -> None:
    status, said = place(folder, renamed_in_between(folder, ""))
    assert status == 1
    assert "changed by somebody else" in said
    assert (folder / "live").read_text() == "theirs"
    assert {"theirs", "new"} <= kept(folder)


def test_without_a_tool_what_is_renamed_before_the_links_are_compared_stays(folder: Path) -> None:
    assert place(folder, renamed_in_between(folder, "return 1"))[0] == 1
    assert (folder / "live").read_text() == "theirs"


def test_the_newest_of_two_writers_has_the_last_word(folder: Path) -> None:
    again = (
        f"{REAL_EXCHANGE}exchange() {{ count=$(cat {folder}/count 2>/dev/null || echo 0);"
        f" echo $((count + 1)) >{folder}/count;"
        f' if [ $count -lt 2 ]; then printf "theirs $count" >{folder}/their.new;'
        f" command mv {folder}/their.new {folder}/live; fi; {REAL}; }}\n"
    )
    assert place(folder, again)[0] == 1
    assert (folder / "live").read_text() == "theirs 1"
    assert {"theirs 0", "theirs 1"} <= kept(folder)


def test_a_file_that_was_absent_is_never_put_over_one_that_came(folder: Path) -> None:
    (folder / "live").unlink()
    came = f'ln() {{ printf theirs >{folder}/live; command ln "$@"; }}\n'
    assert place(folder, came)[0] == 1
    assert (folder / "live").read_text() == "theirs"
    (folder / "live").unlink()
    assert place(folder)[0] == 0
    assert ((folder / "live").read_text(), (folder / "live").stat().st_nlink) == ("new", 1)


@pytest.mark.parametrize("link", ["elsewhere", "{folder}/elsewhere"])
def test_a_link_is_compared_by_what_it_leads_to(folder: Path, link: str) -> None:
    (folder / "live").rename(folder / "elsewhere")
    (folder / "live").symlink_to(link.format(folder=folder))
    assert place(folder)[0] == 0
    assert (folder / "live").read_text() == "new"
    assert (folder / "elsewhere").read_text() == "as it was read"


def test_a_file_is_only_withdrawn_as_it_was_read(folder: Path) -> None:
    assert run(folder, f"withdraw {folder}/live {READ}").returncode == 0
    assert not (folder / "live").exists()
    (folder / "live").write_text("theirs")
    assert run(folder, f"withdraw {folder}/live {READ}").returncode == 1
    assert (folder / "live").read_text() == "theirs"


def test_what_comes_right_before_it_is_withdrawn_stays(folder: Path) -> None:
    came = f'mv() {{ printf theirs >{folder}/live; command mv "$@"; }}\n'
    assert run(folder, f"{came}withdraw {folder}/live {READ}").returncode == 1
    assert (folder / "live").read_text() == "theirs"
    assert "theirs" in kept(folder)


def test_what_a_writer_left_in_a_displaced_file_is_kept(folder: Path) -> None:
    place(folder)
    (folder / ".live.kubernetes-audit-displaced").write_text("theirs")
    run(folder, f"clear_slot {folder}/live {READ}")
    assert "theirs" in kept(folder)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_password_in_a_url_is_not_shown(folder: Path) -> None:
    (folder / "manifest").write_text("proxy: http://me:hunter2@proxy\nnew\n")
    (folder / "backup").mkdir()
    (folder / "backup/kube-apiserver.yaml").write_text("proxy: http://me:hunter2@proxy\n")
    said = run(folder, f'backup={folder}/backup; keep_copy_of_others "$MANIFEST" "$MANIFEST"').stdout
    assert "+new" in said
    assert "hunter2" not in said
