from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.read import read_policy
from auditlog.policy.write import header_lines, rule_lines

# Names that YAML would read as something else without quotes, and any other text.
NAMES = st.one_of(
    st.sampled_from(
        ["", "*", "on", "No", "y", "null", "1", "0x1f", "1e3", "a: b", "#a", "- a", "'", '"', "\\", "\n", " "]
    ),
    st.from_regex(r"[a-z][a-z0-9./:-]{0,12}", fullmatch=True),
    st.text(max_size=20),
)
LISTS = st.lists(NAMES, max_size=8).map(tuple)
STAGES = st.lists(st.sampled_from(Stage), max_size=3).map(tuple)
RULES = st.builds(
    PolicyRule,
    level=st.sampled_from(Level),
    users=LISTS,
    user_groups=LISTS,
    verbs=LISTS,
    resources=st.lists(st.builds(GroupResources, group=NAMES, resources=LISTS, resource_names=LISTS), max_size=2).map(
        tuple
    ),
    namespaces=LISTS,
    non_resource_urls=LISTS,
    omit_stages=STAGES,
    omit_managed_fields=st.sampled_from([None, True, False]),
    line=st.just(0),
)


# A busy machine is no failure.
@settings(deadline=None)
@given(
    st.builds(
        Policy,
        rules=st.lists(RULES, min_size=1, max_size=3).map(tuple),
        omit_stages=STAGES,
        omit_managed_fields=st.booleans(),
    )
)
def test_what_is_written_is_read_back(policy: Policy) -> None:
    lines = header_lines(policy.omit_stages, policy.omit_managed_fields)
    for rule in policy.rules:
        lines += rule_lines(rule)
    assert read_policy("\n".join(lines) + "\n", "written") == policy
