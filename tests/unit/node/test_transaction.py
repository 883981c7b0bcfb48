"""The journal, and what a later run and the guard make of it, on files alone: no API server runs in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import STAND_INS, STEPS, Node
from tests.unit.node.shell import run

FROM_SWAP = STEPS[STEPS.index("swap") :]


def test_the_journal_is_replaced_whole_and_keeps_what_it_is_not_told(node: Node) -> None:
    node.run('record a=1 b=2 "c=x y=z"; record b=3; step swap')
    assert node.entries() == {"a": "1", "c": "x y=z", "b": "3", "step": "swap"}
    assert not (node.folder / "state/journal.new").exists()


def test_a_change_takes_every_step_in_its_order_and_closes_the_journal(node: Node) -> None:
    node.says("new-runs")
    node.says("healthy")
    said = node.run(
        f"mv() {{ case $1 in *journal.new) sed -n 's/^step=//p' \"$1\" >>{node.folder}/steps ;; esac\n"
        f'command mv "$@"; }}\n'
        f"transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} arguments=a "
        "arguments-before=b endpoint=e timeout=5 log=/nowhere marker=no owner=stack 2>&1"
    )
    assert "manifest: running and healthy" in said
    taken = list(dict.fromkeys((node.folder / "steps").read_text().split()))
    assert taken == STEPS
    assert node.entries() == {}
    assert (node.manifest.read_text(), node.policy.read_text()) == ("new manifest", "new policy")
    assert (node.folder / "state/owner").read_text() == "stack\n"
    assert (node.folder / "state/before/kube-apiserver.yaml").read_text() == "old manifest"


def test_an_api_server_that_does_not_come_gets_everything_put_back(node: Node) -> None:
    node.says("healthy")
    said = node.enable()
    assert "failed: no API server with the manifest's arguments within 0 s" in said
    assert "The earlier manifest runs again" in said
    assert (node.manifest.read_text(), node.policy.read_text()) == ("old manifest", "old policy")
    assert node.entries() == {}


def test_where_the_way_back_fails_too_the_journal_stays(node: Node) -> None:
    said = node.enable()
    assert "And the way back failed: /livez and /readyz did not say ok three times in a row within 0 s" in said
    assert node.entries()["step"] == "put-back"
    assert node.manifest.read_text() == "old manifest"


def test_a_policy_that_was_not_there_is_removed_again(node: Node) -> None:
    node.policy.unlink()
    node.says("healthy")
    assert "The earlier manifest runs again" in node.enable()
    assert not node.policy.exists()


@pytest.mark.parametrize("at", ["back-up", "restored"])
def test_a_change_that_was_cut_off_before_it_touched_a_file_begins_anew(node: Node, at: str) -> None:
    node.write_journal(at)
    node.says("new-runs")
    node.says("healthy")
    said = node.enable(5)
    assert "the files are as they were before it" in said
    assert f"backup: {node.folder / 'archive'}" in said
    assert "manifest: running and healthy" in said


@pytest.mark.parametrize("at", [*FROM_SWAP, "put-back"])
def test_a_change_that_was_cut_off_later_is_finished_with_its_own_backup(node: Node, at: str) -> None:
    node.write_journal(at)
    node.says("new-runs")
    node.says("healthy")
    said = node.enable(5)
    assert f"its backup {node.folder / 'backup'} stays" in said
    assert f"manifest: running and healthy; backup {node.folder / 'backup'}" in said
    assert node.entries() == {}


def test_a_journal_of_an_earlier_version_has_no_step_and_was_opened_right_before_the_swap(node: Node) -> None:
    node.journal.write_text(f"backup={node.folder / 'backup'}\narguments-before=b\nboot=x\nprocesses=11 \n")
    node.says("healthy")
    said = node.enable()
    assert f"its backup {node.folder / 'backup'} stays" in said
    assert node.manifest.read_text() == "old manifest"


def test_the_manifest_of_the_first_half_of_a_quick_restart_is_known_as_its_own(node: Node) -> None:
    """Although a plan that was made before the restart was cut off has never seen it; any other text is not touched."""
    node.says("new-runs")
    node.says("healthy")
    new, policy = sha256("new manifest"), sha256("new policy")
    apply = (
        'detached() { "$@"; }\n'
        f"apply_manifest live={sha256('old manifest')}@1 desired={new} policy={node.policy} "
        f"policy-live={sha256('old policy')}@1 policy-desired={policy} restart=no arguments=a arguments-before=b "
        "endpoint=e timeout=5 log=/nowhere marker=no owner=stack 2>&1"
    )
    node.manifest.write_text("first half")
    node.write_journal("old-gone", placed_first=sha256("another text"))
    assert "changed after it was read for this plan" in run(node.folder, STAND_INS + apply, "new manifest").stdout
    assert node.manifest.read_text() == "first half"
    node.write_journal("old-gone", placed_first=sha256("first half"))
    assert "manifest: running and healthy" in run(node.folder, STAND_INS + apply, "new manifest").stdout
    assert node.manifest.read_text() == "new manifest"


@pytest.mark.parametrize(
    ("at", "live", "policy", "killed"),
    [
        (None, "new manifest", "old policy", "kill -TERM 12\n"),
        (None, "old manifest", "old policy", ""),
        ("swap", "new manifest", "old policy", "kill -TERM 12\n"),
        ("swap", "new manifest", "new policy", "kill -TERM 11\n"),
        ("old-gone", "new manifest", "new policy", ""),
        ("put-back", "new manifest", "new policy", "kill -TERM 12\n"),
        ("put-back", "old manifest", "new policy", ""),
    ],
)
def test_the_process_is_ended_only_where_kubelet_sees_no_change_and_only_once(
    node: Node, at: str | None, live: str, policy: str, killed: str
) -> None:
    """The API server of the beginning is 11; 12 runs now, unless it is still the same one."""
    node.manifest.write_text(live)
    node.policy.write_text(policy)
    (node.folder / "backup/kube-apiserver.yaml").write_text(live)
    node.says("pids", "11\n" if killed.endswith("11\n") else "12\n")
    if at is not None:
        node.write_journal(at)
    node.enable()
    written = node.folder / "state/killed"
    assert (written.read_text() if written.exists() else "") == killed


@pytest.mark.parametrize("at", [*STEPS, "put-back", "restored"])
def test_a_canary_and_a_redirect_that_were_left_are_cleared_by_the_guard_and_by_the_next_run(
    node: Node, at: str
) -> None:
    # The next run tells no other steps apart.
    for script in (GUARD, None) if at in ("back-up", "swap", "finish", "put-back", "restored") else (GUARD,):
        (node.folder / "kube-apiserver-canary.yaml").write_text("the canary")
        node.says("redirected")
        node.says("healthy")
        node.write_journal(at, canary_port="16443")
        if script is None:
            node.says("new-runs")
            said = node.enable(5)
            assert "manifest: running and healthy" in said
        else:
            said = node.run(script)
            assert node.entries()["canary-port"] == ""
        assert "stand-in: the redirect is taken away" in said
        assert not (node.folder / "kube-apiserver-canary.yaml").exists()
        assert not (node.folder / "state/redirected").exists()


def test_the_redirect_stays_while_no_api_server_is_ready(node: Node) -> None:
    node.says("redirected")
    node.write_journal("old-gone", canary_port="16443")
    node.run(GUARD)
    assert (node.folder / "state/redirected").exists()
    assert node.entries()["step"] == "put-back"


STAYS = "withdraw_redirect() { problem='the redirect stays'; return 1; }\n"


def test_a_redirect_that_stays_keeps_canary_and_journal_and_the_next_run_begins_with_it(node: Node) -> None:
    """Before anything was changed, and on the way back: whoever reads the error knows, and so does the next run."""
    for at, kept in (("rehearse", "nothing was changed"), ("put-back", "The earlier manifest runs again")):
        (node.folder / "kube-apiserver-canary.yaml").write_text("the canary")
        node.says("redirected")
        node.says("healthy")
        node.write_journal(at, canary_port="16443")
        arguments = f"purpose=enable policy={node.policy} webhook= problem='it did not come' prober= mode=drain"
        said = node.run(f"{STAYS}{arguments}\ngive_up 2>&1")
        assert f"error: it did not come. {kept}" in said or f"error: it did not come; {kept}" in said
        assert ", but the redirect stays. Run again" in said
        assert (node.folder / "kube-apiserver-canary.yaml").exists()
        assert node.entries()["canary-port"] == "16443"
        assert "the redirect stays; nothing was changed" in node.run(
            f"{STAYS}transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} "
            "arguments=a arguments-before=b endpoint=e timeout=0 log=/nowhere marker=no owner=stack 2>&1"
        )
        assert node.entries()["canary-port"] == "16443"


def test_an_image_that_is_missing_is_named_before_anything_is_changed(node: Node) -> None:
    images = "registry.example.com/apiserver:v1 registry.example.com/apiserver:v2"
    said = node.run(
        f"transaction enable policy={node.policy} policy-desired={sha256('new policy')} arguments=a arguments-before=b "
        f"endpoint=e timeout=0 log=/nowhere/audit.log marker=no owner=stack 'images={images}' 2>&1"
    )
    assert "the image registry.example.com/apiserver:v2 is not on the node" in said
    assert "nothing was changed" in said
    assert node.entries() == {}
    assert node.manifest.read_text() == "old manifest"


GUARD = "guard worker=9:9 2>&1"


@pytest.mark.parametrize("at", ["back-up", "restored"])
def test_the_guard_leaves_files_alone_that_nobody_touched(node: Node, at: str) -> None:
    node.write_journal(at)
    assert "no file had been changed" in node.run(GUARD)
    assert node.entries()["step"] == at
    assert node.manifest.read_text() == "old manifest"


@pytest.mark.parametrize("at", FROM_SWAP)
def test_the_guard_keeps_new_files_that_get_ready_and_leaves_the_journal(node: Node, at: str) -> None:
    node.write_journal(at)
    node.manifest.write_text("new manifest")
    node.policy.write_text("new policy")
    node.says("new-runs")
    node.says("healthy")
    assert "the new API server is ready" in node.run(GUARD)
    assert node.entries()["step"] == at
    assert node.manifest.read_text() == "new manifest"


@pytest.mark.parametrize("at", [*FROM_SWAP, "put-back"])
@pytest.mark.parametrize("live", ["old manifest", "new manifest"])
def test_the_guard_puts_back_what_is_not_whole_or_does_not_get_ready(node: Node, at: str, live: str) -> None:
    node.write_journal(at)
    node.manifest.write_text(live)
    node.policy.write_text("new policy")
    node.says("healthy")
    assert "the earlier manifest and policy are back" in node.run(GUARD)
    assert node.entries()["step"] == "restored"
    assert (node.manifest.read_text(), node.policy.read_text()) == ("old manifest", "old policy")


def test_the_guard_does_nothing_where_another_run_has_taken_over(node: Node) -> None:
    node.write_journal("swap", worker="10:10")
    assert node.run(GUARD) == ""
    assert node.entries()["step"] == "swap"
    node.journal.unlink()
    assert node.run(GUARD) == ""


def test_what_the_guard_did_is_told_once_by_the_next_run(node: Node) -> None:
    node.says("guard-messages", "the new API server is ready\n")
    assert "guard: the new API server is ready\n" in node.enable()
    assert "guard:" not in node.enable()


def test_the_lock_waits_for_a_guard_but_not_for_a_worker(node: Node) -> None:
    node.write_journal("swap")
    waits = run(node.folder, 'GUARD_SECONDS=0; exec 8>"$STATE/lock"; flock 8; take_lock')
    assert "its guard is bringing the node in order" in waits.stdout
    node.write_journal("swap")
    refused = run(node.folder, 'record "worker=$(identity $$)"; exec 8>"$STATE/lock"; flock 8; take_lock')
    assert refused.stdout == ""
    assert "another change of this node is under way" in refused.stderr


def test_a_process_is_known_by_its_start_and_a_dead_one_is_not_alive(tmp_path: Path) -> None:
    script = "me=$(identity $$); alive $me && echo alive; alive ${me}0 || echo another; alive '' || echo nobody\n"
    script += (
        'is_over() { [ -z "$(identity $1)" ]; }; (exit 0) & until_it is_over $!; alive "$(identity $!)" || echo ended'
    )
    assert run(tmp_path, script).stdout == "alive\nanother\nnobody\nended\n"


@pytest.mark.parametrize(
    ("cut_off_at", "files_changed"),
    [("stand-in", False), ("swap", True), ("own", True), ("put-back", True)],
)
def test_a_change_that_goes_on_after_a_cut_still_has_files_to_put_back(
    node: Node, cut_off_at: str, files_changed: bool
) -> None:
    """A second cut, while it goes on, must not make the stack's own files pass for those of before."""
    node.journal.write_text(f"step={cut_off_at}\n")
    quiet = "check_others() { :; }\nkeep_guard() { :; }\nfor_strays() { :; }\nstrays=none\nproblem=\n"
    said = node.run(
        f"{quiet}take_step quarantine; if files_may_have_changed; then echo changed; else echo untouched; fi"
    )
    assert said == ("changed\n" if files_changed else "untouched\n")
