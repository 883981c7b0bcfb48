"""The client of `lab/go/policy-oracle`: the API server's loader and evaluator as a function."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auditlog.policy.model import Request

ORACLE_MINORS = (30, 33, 36, 37)
"""The Kubernetes minor versions an oracle exists for."""

_BINARIES = Path(__file__).resolve().parents[2] / ".lab" / "bin"
_CAMEL_CASE = {"resource_request": "resourceRequest", "api_group": "apiGroup", "api_version": "apiVersion"}


class OracleError(RuntimeError):
    """The oracle is not built, or failed."""


@dataclass(frozen=True, slots=True)
class Question:
    """A policy text and the requests to decide with it."""

    policy: str
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class OracleDecision:
    """The API server's decision; stages sorted."""

    level: str
    omit_stages: tuple[str, ...]
    omit_managed_fields: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the policy loads, the loader's error if not, and one decision per request if so."""

    accepted: bool
    error: str
    decisions: tuple[OracleDecision, ...]


def ask(minor: int, questions: Sequence[Question]) -> list[Answer]:
    """The answers of Kubernetes 1.`minor`, in the order of the questions. Raises OracleError."""
    lines = "".join(f"{json.dumps(_question(each))}\n" for each in questions)
    answers = [_answer(json.loads(line)) for line in _run(minor, (), lines).splitlines()]
    if len(answers) != len(questions):
        raise OracleError(f"{len(questions)} questions, {len(answers)} answers")
    return answers


def evaluations_per_second(minor: int, question: Question, seconds: float) -> float:
    """How many requests of the question the API server's evaluator decides per second of processor time.

    `seconds` is how long it is measured by the clock.
    """
    measured = json.loads(_run(minor, ("-bench", f"{seconds}s"), json.dumps(_question(question))))
    return float(measured["evaluations"]) / float(measured["processorSeconds"])


def _run(minor: int, arguments: tuple[str, ...], text: str) -> str:
    binary = _BINARIES / f"policy-oracle-0.{minor}"
    if not binary.exists():
        raise OracleError(f"{binary.name} is not built: go build -o .lab/bin/{binary.name} . in lab/go/{binary.name}")
    done = subprocess.run([str(binary), *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OracleError(done.stderr.strip())
    return done.stdout


def _question(question: Question) -> dict[str, Any]:
    return {
        "policy": question.policy,
        "requests": [
            {_CAMEL_CASE.get(key, key): value for key, value in asdict(request).items()}
            for request in question.requests
        ],
    }


def _answer(raw: dict[str, Any]) -> Answer:
    decisions = tuple(
        OracleDecision(each["level"], tuple(each["omitStages"]), each["omitManagedFields"])
        for each in raw.get("decisions") or ()
    )
    return Answer(raw["accepted"], raw.get("error", ""), decisions)
