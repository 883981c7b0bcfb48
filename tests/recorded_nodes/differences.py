"""What today's previews decide otherwise than those of the released version, each with its reason; and a report."""

from __future__ import annotations

from tests.recorded_nodes.preview import RECORDS_ONLY, Preview, different
from tests.recorded_nodes.states import State

ANNOUNCED = {
    ("cp1-manifest entry", "-", "cp1"): "The node records the name by which the stack calls it, so that a renamed "
    "node keeps its resources.",
    ("cp1-manifest edits-back", "-", "yes"): "Removal makes the earlier file by edits of the present one, so that its "
    "text stands in no command line.",
    ("cp1-manifest", "-", RECORDS_ONLY): "The same two records, on nodes that the released version changed.",
    ("cluster-configuration", "-", RECORDS_ONLY): "Removal makes the earlier kubeadm-config by edits, too.",
    ("cp1-scripts", "-", "update"): "The node has scripts of another version, so they are installed again.",
}
"""By decision, as it was, as it is. `-`: the engine left the Command alone, or its script had no such argument."""


def unannounced(released: Preview, today: Preview) -> dict[str, tuple[str, str]]:
    """Decisions that differ without a reason that is known."""
    found = different(released, today)
    return {name: values for name, values in found.items() if (name, *values) not in ANNOUNCED}


def report(state: State, released: Preview, today: Preview) -> str:
    """A section of Markdown: decisions that differ, and sentences that only one of the versions says."""
    decisions = [f"- {name}: {was} → {now}" for name, (was, now) in different(released, today).items()]
    before = [f"- {line}" for line in released.said if line not in today.said]
    after = [f"- {line}" for line in today.said if line not in released.said]
    parts = {"Decided otherwise": decisions, "Only 4ecdf31 said": before, "Only today's says": after}
    lines = [f"### {state.name}", "", state.description]
    for title, found in parts.items():
        lines += ["", f"{title}:", "", *found] if found else []
    return "\n".join(lines)
