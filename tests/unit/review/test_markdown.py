"""The page for a pull request."""

from __future__ import annotations

from auditlog.review.in_short import in_short
from auditlog.review.markdown import marker, summary
from auditlog.review.preview import read_preview
from auditlog.review.topic import Decision, Topic
from tests.unit.review.documents import DIFF, DIGEST, document

CHANGE = ("cp1-manifest", "info", f"cp1: restart, policy changed\n{DIFF}")
DIGEST_MESSAGE = ("stack", "info", f"plan digest: {DIGEST}")


def page(*messages: tuple[str, str, str], steps: tuple[tuple[str, ...], ...] = (), limit: int = 60_000) -> str:
    return summary(read_preview(document(steps, messages)), "dev", limit=limit)


def test_it_tells_how_many_change_why_and_how_each_file_is_edited() -> None:
    text = page(CHANGE, DIGEST_MESSAGE, steps=(("cp1-manifest", "update"),))
    assert text.startswith(f"{marker('dev')}\n## Audit logging, dev: 1 to change, 2 unchanged\n")
    assert "| `cp1-manifest` | update |" in text
    assert "- cp1: restart, policy changed" in text
    assert f"```diff\n{DIFF}```" in text
    assert f"Plan digest: `{DIGEST}`" in text


def test_a_reason_that_two_resources_share_is_said_once() -> None:
    text = page(CHANGE, ("cp1-policy", "info", "cp1: restart, policy changed"))
    assert text.count("- cp1: restart, policy changed") == 1


def test_what_several_nodes_say_is_said_once_with_their_names() -> None:
    text = page(("cp1-manifest", "warning", "cp1: disk is short: 3 MB"), ("cp2", "warning", "cp2: disk is short: 3 MB"))
    assert "- cp1, cp2: disk is short: 3 MB\n" in text


def test_what_decides_comes_first_and_everything_else_is_collapsed() -> None:
    decided = Decision((Topic("changes", ("policy file of cp1", "kubeadm-config")), Topic("undo", ("revert",))))
    meaning = ("cp1-policy", "info", "cp1: the policy is another\ncp1: decision: nodes: get of pods: nothing any more")
    text = page(("stack", "info", in_short(decided)), meaning, CHANGE, steps=(("cp1-manifest", "update"),))
    first, *collapsed = text.split("<details>")
    assert "| **changes** | policy file of cp1<br>kubeadm-config |\n| **undo** | revert |" in first
    assert "decision" not in first
    titles = [part.partition("</summary>")[0].removeprefix("<summary>") for part in collapsed]
    assert titles == [
        "Why, and how each node restarts (2)",
        "Every decision of the policy that changes (1)",
        "Resources (1)",
        "cp1-manifest",
    ]
    assert "- cp1: nodes: get of pods: nothing any more" in collapsed[1]


def test_each_cluster_of_a_program_has_its_own_decision() -> None:
    decided = in_short(Decision((Topic("changes", ("one",)),)))
    text = page(("east", "info", decided), ("west", "info", decided))
    assert text.index("### east") < text.index("### west")


def test_where_only_objects_in_the_cluster_change_it_says_that_no_node_does() -> None:
    steps = ("kubernetes:core/v1:ConfigMap", "rules", "update"), ("kubernetes:core/v1:ConfigMap", "board", "update")
    assert "Objects in the cluster: 2 to update: board, rules." in page(DIGEST_MESSAGE, steps=steps)
    assert "no API server restarts" in page(DIGEST_MESSAGE, steps=steps)
    assert "no API server restarts" not in page(DIGEST_MESSAGE, steps=(*steps, ("cp1-manifest", "update")))
    # Without a digest nobody has read the nodes.
    assert "no API server restarts" not in page(steps=steps)


def test_without_changes_it_says_so() -> None:
    assert "## Audit logging, dev: no changes, 2 unchanged\n" in page(DIGEST_MESSAGE)


def test_a_preview_that_failed_shows_its_errors_and_no_digest() -> None:
    text = page(("stack", "error", "cp1: not reachable"), DIGEST_MESSAGE, steps=(("cp1-manifest", "update"),))
    assert "the preview failed" in text
    assert "- cp1: not reachable" in text
    assert DIGEST not in text
    assert "| resource |" not in text


def test_warnings_come_before_what_changes() -> None:
    text = page(CHANGE, ("cp1-manifest", "warning", "cp1: disk is short"), steps=(("cp1-manifest", "update"),))
    assert text.index("disk is short") < text.index("| resource |")


def test_what_a_file_says_makes_no_markup() -> None:
    fenced = f"cp1: <b>bold</b> [link](x) a|b\n{DIFF.replace('a: 2', '```` more')}"
    text = page(("cp1-<x>", "info", fenced), steps=(("cp1-a`b", "update"),))
    assert r"\<b\>bold\</b\> \[link\](x) a\|b" in text
    assert "`````diff\n" in text
    assert "<summary>cp1-&lt;x&gt;</summary>" in text
    assert "| `cp1-ab` |" in text


def test_nobody_is_called_by_what_a_node_says() -> None:
    text = page(("cp1", "warning", "cp1: flag is @team and alice@example.com"))
    assert "@\u200bteam and alice@example.com" in text


def test_diffs_that_have_no_room_are_named_and_the_rest_stays() -> None:
    long = ("cp2-manifest", "info", DIFF + "+b: 3\n" * 1000)
    text = page(long, CHANGE, DIGEST_MESSAGE, steps=(("cp1-manifest", "update"),), limit=1500)
    assert len(text) < 1600
    assert "Too long for this page: `cp2-manifest`." in text
    assert f"```diff\n{DIFF}```" in text
    assert DIGEST in text
