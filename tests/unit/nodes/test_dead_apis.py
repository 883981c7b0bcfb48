"""Aggregated APIs without a backend: what a node says of them, and what a person reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from auditlog.inspection.inspection import inspect_cluster
from auditlog.inspection.report import text_report
from auditlog.manifest.desired import sha256
from auditlog.nodes.facts import parse_facts
from tests.unit.node.shell import run
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import applied

DEAD = "v1beta1.metrics.k8s.io (ServiceNotFound)"
LISTED = """v1. True Local
v1beta1.metrics.k8s.io False ServiceNotFound
v1beta1.new.example.com
v1.apps True Local"""


def test_a_node_names_those_that_do_not_answer(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").write_text(f"#!/bin/sh\necho '{LISTED}'\n")
    (tmp_path / "bin/kubectl").chmod(0o700)
    assert run(tmp_path, "fact_dead_apis").stdout == "dead-api v1beta1.metrics.k8s.io ServiceNotFound\n"
    (tmp_path / "bin/kubectl").write_text("#!/bin/sh\nexit 1\n")
    assert run(tmp_path, "fact_dead_apis").stdout == ""


@pytest.mark.parametrize(
    ("apis", "namespaces", "said"),
    [
        (LISTED, "namespace/audit", f"namespace audit before these APIs answer: {DEAD}. Bring their backends back"),
        (LISTED, "", ""),
        ("v1. True Local", "namespace/audit", ""),
    ],
    ids=["dead, and a namespace of the stack", "no namespace of the stack", "all answer"],
)
def test_a_removal_names_what_keeps_the_namespace(tmp_path: Path, apis: str, namespaces: str, said: str) -> None:
    (tmp_path / "bin").mkdir()
    answers = f"case $* in *apiservices*) echo '{apis}' ;; *namespaces*) echo '{namespaces}' ;; esac"
    (tmp_path / "bin/kubectl").write_text(f"#!/bin/sh\n{answers}\n")
    (tmp_path / "bin/kubectl").chmod(0o700)
    (tmp_path / "state").mkdir()
    removal = (
        'read_kubeadm_config() { printf earlier >"$STATE/staged/live-cluster-configuration.yaml"; }\n'
        f"restore_kubeadm_config written={sha256('c')} restore={sha256('earlier')}"
    )
    done = run(tmp_path, removal, "earlier")
    first, _, more = done.stdout.partition("\n")
    assert first == "kubeadm-config: as it was before audit logging", done.stderr
    assert (said in more) if said else more == ""


def test_a_person_reads_that_they_keep_a_removal_from_ending() -> None:
    facts = parse_facts(facts_output(dataclasses.replace(applied(), dead_apis=(DEAD,))))
    assert facts.dead_apis == (DEAD,)
    report = inspect_cluster({"cp1": facts})
    assert f"  dead APIs   {DEAD}: Kubernetes finishes the deletion of no namespace until they answer" in text_report(
        report
    )
    well = inspect_cluster({"cp1": applied()})
    assert "dead APIs" not in text_report(well)
    assert report.is_well == well.is_well
