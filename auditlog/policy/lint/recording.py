"""What a policy leaves out as a whole: everything, what no rule matches, stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, writes
from auditlog.policy.model import Level, Stage
from auditlog.policy.partition import AxisName, Value, outcomes_of
from auditlog.policy.validate import validate

BLOCKING_STRICT = "blocking-strict"


def _records_nothing(context: Context) -> Iterator[Hit]:
    if not any(writes(context.decision(outcome[0])) for outcome in context.partition.outcomes):
        yield Hit(
            "rules",
            "no request at all is recorded: the API server starts, scanners are content, and the log stays empty",
            "add a rule with level Metadata, or take a preset",
        )


def _no_catch_all(context: Context) -> Iterator[Hit]:
    if (None,) in context.partition.outcomes:
        yield Hit(
            "rules",
            "requests that no rule matches are dropped silently, also requests to APIs installed later",
            'end with a rule of only "level: Metadata", or "level: None" where dropping them is meant',
        )


def _outcome_omitted(context: Context) -> Iterator[Hit]:
    stage = Stage.RESPONSE_COMPLETE
    fix = f"do not omit {stage.value}"
    if stage in context.policy.omit_stages:
        index = context.policy.omit_stages.index(stage)
        yield Hit(
            f"omitStages[{index}]",
            f"without {stage.value} no answer is ever recorded: neither whether a request succeeded nor its body",
            fix,
        )
        return
    for path, rule in context.rules():
        if stage in rule.omit_stages and rule.level is not Level.NONE:
            index = rule.omit_stages.index(stage)
            yield Hit(f"{path}.omitStages[{index}]", f"without {stage.value} the answer is not recorded", fix)


def _failed_logins_omitted(context: Context) -> Iterator[Hit]:
    """At this stage alone: staging/src/k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go of Kubernetes."""
    stage = Stage.RESPONSE_STARTED
    unknown: dict[AxisName, Callable[[Value], bool]] = {AxisName.USER: lambda user: user is None}
    deciding = {outcome[0] for diagram in context.partition.diagrams for outcome in outcomes_of(diagram, unknown)}
    reason = f"requests with credentials that are not accepted leave no trace: {stage.value} is their only stage"
    fix = f"do not omit {stage.value}; it adds an event for each watch and session, and for no other request"
    told = set()
    for index in sorted(index for index in deciding if index is not None):
        decision = context.decision(index)
        if decision.level is Level.NONE or stage not in decision.omit_stages:
            continue
        if Stage.RESPONSE_COMPLETE in decision.omit_stages:
            continue  # what it omits is said by another check
        stages, path = context.policy.omit_stages, "omitStages"
        if stage not in stages:
            stages, path = context.policy.rules[index].omit_stages, f"rules[{index}].omitStages"
        if path not in told:
            told.add(path)
            yield Hit(f"{path}[{stages.index(stage)}]", reason, fix)


def _every_stage_omitted(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        decision = context.decision(index)
        if decision.level is not Level.NONE and not writes(decision):
            place = f"{path}.omitStages" if rule.omit_stages else path
            yield Hit(
                place,
                f"level {rule.level.value} writes nothing, because all four stages are omitted",
                "keep ResponseComplete and Panic, or say level None",
            )


def _cannot_reject(context: Context) -> Iterator[Hit]:
    if context.audit_log_mode != BLOCKING_STRICT:
        return
    stage = Stage.REQUEST_RECEIVED
    reason = (
        f"--audit-log-mode={BLOCKING_STRICT} refuses a request whose {stage.value} event cannot be written; "
        "omitted events count as written, so nothing is ever refused"
    )
    fix = f"keep {stage.value}, or use --audit-log-mode=blocking"
    if stage in context.policy.omit_stages:
        yield Hit(f"omitStages[{context.policy.omit_stages.index(stage)}]", reason, fix)
        return
    for path, rule in context.rules():
        if stage in rule.omit_stages and rule.level is not Level.NONE:
            yield Hit(f"{path}.omitStages[{rule.omit_stages.index(stage)}]", reason, fix)


def _settings_without_effect(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        if rule.omit_stages and rule.level is Level.NONE:
            yield Hit(f"{path}.omitStages", "level None writes no stage anyway", "remove it, or choose a level")
        if rule.omit_managed_fields is not None and rule.level < Level.REQUEST:
            yield Hit(
                f"{path}.omitManagedFields", f"level {rule.level.value} has no bodies to leave them out of", "remove it"
            )


def _refused(context: Context) -> Iterator[Hit]:
    for problem in validate(context.policy, context.kubernetes_minor):
        yield Hit(
            problem.path,
            f"the API server of 1.{context.kubernetes_minor} does not start: {problem.message}",
            "change it before the policy reaches a node",
        )


CHECKS = (
    Check("refused", Severity.ERROR, "The API server of this version refuses the policy.", _refused),
    Check("records-nothing", Severity.ERROR, "The policy records no request at all.", _records_nothing),
    Check("no-catch-all", Severity.WARNING, "Some requests match no rule and are dropped silently.", _no_catch_all),
    Check(
        "outcome-omitted",
        Severity.ERROR,
        "ResponseComplete is omitted, so no answer is recorded.",
        _outcome_omitted,
    ),
    Check(
        "failed-logins-omitted",
        Severity.WARNING,
        "ResponseStarted is omitted, so credentials that were not accepted are not recorded.",
        _failed_logins_omitted,
    ),
    Check(
        "every-stage-omitted",
        Severity.ERROR,
        "A rule with a level above None writes nothing, because every stage is omitted.",
        _every_stage_omitted,
    ),
    Check(
        "strict-mode-cannot-reject",
        Severity.WARNING,
        "blocking-strict is used together with a policy that omits RequestReceived, where it has no effect.",
        _cannot_reject,
    ),
    Check(
        "setting-without-effect",
        Severity.INFO,
        "omitStages or omitManagedFields are set at a level where they change nothing.",
        _settings_without_effect,
    ),
)
