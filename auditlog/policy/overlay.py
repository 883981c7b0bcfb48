"""One policy out of a preset and what a stack adds to it.

The first matching rule decides, so the order of the parts is their meaning:

1. `rules_before`
2. what is dropped
3. the base, a preset or a whole custom text. Rules that raise a level come right before the rules that they raise
4. `rules_after`. If the base's last rule matches everything, they come before it, since behind it they could never
   match
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from auditlog.errors import AuditlogError
from auditlog.policy.deployable import deployable_policy
from auditlog.policy.evaluate import resource_matches
from auditlog.policy.lint import READING_IDS
from auditlog.policy.lint.silences import Silence, silences_in
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.presets import preset_text
from auditlog.policy.resources import CREDENTIAL_RESOURCES
from auditlog.policy.settings import Drops, RaisedLevel
from auditlog.policy.write import header_lines, rule_lines

_COMMENT_WIDTH = 106


class OverlayError(AuditlogError):
    """An overlay that contradicts itself; the message names the part and what is allowed."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A base and what changes in it.

    The base is the preset of this name with `preset_parameters`, or `custom_text`. `custom_source` names that text in
    comments and messages. `omit_stages` and `omit_managed_fields` replace the base's policy-wide settings, and None
    keeps them. Settings of single rules stay.
    """

    preset: str = "standard"
    preset_parameters: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    custom_text: str | None = None
    custom_source: str = "custom policy"
    rules_before: tuple[PolicyRule, ...] = ()
    rules_after: tuple[PolicyRule, ...] = ()
    drops: Drops = field(default_factory=Drops)
    raised_levels: tuple[RaisedLevel, ...] = ()
    omit_stages: tuple[Stage, ...] | None = None
    omit_managed_fields: bool | None = None


@dataclass(frozen=True, slots=True)
class _Origin:
    """A rule with the comment that says where it came from, and what of the linter's findings was accepted there."""

    rule: PolicyRule
    comment: str
    silences: tuple[Silence, ...] = ()


def build_policy(overlay: Overlay) -> str:
    """The policy text of an overlay, with a comment at each rule that says where it came from.

    The same overlay gives the same text. Findings that the base's author accepted stay accepted as long as the base's
    decisions do not change. Otherwise the owner judges them again. `auditlog.policy.validate` says whether an API
    server accepts the policy. Raises OverlayError, PresetError for the preset, and PolicyError for a custom text that
    cannot be deployed.
    """
    name = f"preset {overlay.preset}" if overlay.custom_text is None else overlay.custom_source
    text = overlay.custom_text
    if text is None:
        text = preset_text(overlay.preset, **overlay.preset_parameters)
    base = deployable_policy(text, name)
    _check(overlay.raised_levels)
    # What the API server does not read of the base is not in the new text.
    kept = [silence for silence in silences_in(text, base) if silence.id not in READING_IDS]
    silences = kept if _decides_as_its_base(overlay) else ()

    parts = [
        *_numbered(overlay.rules_before, "rule", "put before the base"),
        *_dropped(overlay.drops),
        *_with_raised_levels(list(_base_rules(base, text, name, silences)), overlay.raised_levels),
    ]
    after = _numbered(overlay.rules_after, "rule", "put after the base")
    position = len(parts) - 1 if base.rules and _matches_everything(base.rules[-1]) else len(parts)
    parts[position:position] = after

    lines = [f"# Made from {name}; each rule says where it came from."]
    lines += [_silence_comment(silence) for silence in silences if silence.rule_index is None]
    lines += header_lines(
        base.omit_stages if overlay.omit_stages is None else overlay.omit_stages,
        base.omit_managed_fields if overlay.omit_managed_fields is None else overlay.omit_managed_fields,
    )
    for part in parts:
        lines += textwrap.wrap(
            part.comment, _COMMENT_WIDTH, initial_indent="  # ", subsequent_indent="  #   ", break_on_hyphens=False
        )
        lines += [f"  {_silence_comment(silence)}" for silence in part.silences]
        lines += rule_lines(part.rule)
    return "\n".join([*lines, ""])


def _decides_as_its_base(overlay: Overlay) -> bool:
    return replace(overlay, rules_before=(), drops=Drops(), raised_levels=()) == overlay and (
        overlay.omit_stages is None and overlay.omit_managed_fields is None
    )


def _silence_comment(silence: Silence) -> str:
    return f"# lint: ignore {silence.id} {silence.reason}"


def _base_rules(base: Policy, text: str, name: str, silences: Sequence[Silence]) -> Iterator[_Origin]:
    lines = text.splitlines()
    for index, rule in enumerate(base.rules):
        remark = _remark_above(lines, rule.line)
        own = tuple(silence for silence in silences if silence.rule_index == index)
        yield _Origin(rule, f"{name}, rule {index + 1}{f': {remark}' if remark else ''}", own)


def _remark_above(lines: Sequence[str], line: int) -> str:
    """The comment that stands directly above a line (counted from 1), as one line of text."""
    remarks: list[str] = []
    for candidate in reversed(lines[: line - 1]):
        if not candidate.strip().startswith("#"):
            break
        remark = candidate.strip().lstrip("#").strip()
        if not remark.startswith("lint:"):
            remarks.insert(0, remark)
    return " ".join(remarks)


def _numbered(rules: Sequence[PolicyRule], word: str, origin: str) -> list[_Origin]:
    return [_Origin(rule, f"{word} {number} {origin}") for number, rule in enumerate(rules, start=1)]


def _dropped(drops: Drops) -> Iterator[_Origin]:
    nothing = PolicyRule(Level.NONE)
    if drops.users:
        yield _Origin(replace(nothing, users=drops.users), "dropped by user")
    if drops.user_groups:
        yield _Origin(replace(nothing, user_groups=drops.user_groups), "dropped by group")
    if drops.namespaces:
        yield _Origin(replace(nothing, namespaces=drops.namespaces), "dropped by namespace")
    if drops.resources:
        yield _Origin(replace(nothing, resources=drops.resources), "dropped by resource")
    if drops.non_resource_urls:
        yield _Origin(replace(nothing, non_resource_urls=drops.non_resource_urls), "dropped by URL")


def _with_raised_levels(rules: list[_Origin], raised_levels: Sequence[RaisedLevel]) -> list[_Origin]:
    for raised in raised_levels:
        rules = list(_raised(rules, raised))
    return rules


def _raised(rules: Sequence[_Origin], raised: RaisedLevel) -> Iterator[_Origin]:
    """The rules. Before each that records less of the raised resource comes a copy for this resource alone.

    The copy replaces a rule about nothing else. No copy is kept if an earlier one decides every request to the
    resource.
    """
    whole = GroupResources(raised.group, (raised.resource,))
    what = f"{raised.resource} in {raised.group or 'the core group'}"
    decided = False
    for part in rules:
        about_nothing_else = bool(part.rule.resources) and all(
            replace(entry, resource_names=()) == whole for entry in part.rule.resources
        )
        entries = () if decided else _covering_entries(part.rule, raised)
        if entries:
            restricted = replace(part.rule, level=max(part.rule.level, raised.level), resources=entries)
            decided = restricted == replace(_everything(part.rule), level=restricted.level, resources=(whole,))
            if part.rule.level < raised.level:
                origin = f": {part.comment}" if about_nothing_else else ", of what follows here"
                yield _Origin(restricted, f"at least {raised.level.value} for {what}{origin}")
                if about_nothing_else:
                    continue
        elif decided and about_nothing_else:
            continue
        yield part
    if not decided:
        rest = PolicyRule(raised.level, resources=(whole,))
        yield _Origin(rest, f"at least {raised.level.value} for {what}, where no rule matched")


def _covering_entries(rule: PolicyRule, raised: RaisedLevel) -> tuple[GroupResources, ...]:
    """What of the rule's resources is the raised one; empty when the rule never matches it."""
    whole = GroupResources(raised.group, (raised.resource,))
    if rule.non_resource_urls and not rule.namespaces and not rule.resources:
        return ()
    if not rule.resources:
        return (whole,)
    resource, _, subresource = raised.resource.partition("/")
    entries = []
    for entry in rule.resources:
        if entry.group not in ("*", raised.group):
            continue
        if not entry.resources:
            entries.append(whole)
        elif any(resource_matches(pattern, resource, subresource) for pattern in entry.resources):
            entries.append(replace(whole, resource_names=entry.resource_names))
    return tuple(entries)


def _matches_everything(rule: PolicyRule) -> bool:
    return rule == _everything(rule)


def _everything(rule: PolicyRule) -> PolicyRule:
    """The rule without its restrictions."""
    return PolicyRule(rule.level, omit_stages=rule.omit_stages, omit_managed_fields=rule.omit_managed_fields)


def _check(raised_levels: Sequence[RaisedLevel]) -> None:
    for raised in raised_levels:
        what = f'level "{raised.level.value}" for "{raised.resource}" in group "{raised.group}"'
        if raised.level is Level.NONE:
            raise OverlayError(f"{what}: None raises nothing; allowed: Metadata, Request, RequestResponse, or a drop")
        if "*" in raised.resource or "*" in raised.group or not raised.resource:
            raise OverlayError(f"{what}: allowed is one resource, or one resource/subresource, without wildcards")
        if raised.level > Level.METADATA and (raised.group, raised.resource) in CREDENTIAL_RESOURCES:
            raise OverlayError(
                f"{what}: its bodies hold credentials, which would be written to the log; allowed: Metadata"
            )
