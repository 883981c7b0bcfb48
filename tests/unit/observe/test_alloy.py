"""The text of Alloy's configuration; that Alloy itself takes it and ships by it is shown in tests/lab."""

from __future__ import annotations

import re

import pytest

from auditlog.observe.alloy import READ_AGAIN, STRUCTURED_METADATA, alloy_configuration, alloy_snippet
from auditlog.observe.source import source_of
from auditlog.settings import AlloyMode, AlloySettings, LokiSettings

LOKI = LokiSettings("https://loki.example.com/")
FILE = source_of("/var/log/kubernetes/audit/audit.log")
STDOUT = source_of("-")
SNIPPET = AlloySettings(AlloyMode.SNIPPET)


def configuration(loki: LokiSettings = LOKI, alloy: AlloySettings | None = None) -> str:
    return alloy_configuration("prod", FILE, alloy or AlloySettings(AlloyMode.DAEMONSET), loki)


def block(text: str, start: str) -> str:
    """The block of the text's top level that begins so."""
    return text[text.index(f"{start} {{\n") :].split("\n}\n", 1)[0]


def test_an_entry_has_three_labels_and_nothing_else_becomes_one() -> None:
    pipeline = block(configuration(), 'loki.process "audit"')
    labels = block(pipeline, "stage.static_labels")
    assert re.findall(r"^\t\t\t(\w+) += (.*),$", labels, re.MULTILINE)[-3:] == [
        ("job", '"kubernetes-audit"'),
        ("cluster", '"prod"'),
        ("node", 'env("NODE_NAME")'),
    ]
    assert 'values = ["job", "cluster", "node"]' in block(pipeline, "stage.label_keep")
    assert "stage.labels" not in pipeline


def test_every_field_is_read_and_becomes_structured_metadata() -> None:
    pipeline = block(configuration(), 'loki.process "audit"')
    for name in STRUCTURED_METADATA:
        assert len(re.findall(rf"^\t\t\t{name} += ", pipeline, re.MULTILINE)) == 2


def test_the_time_of_an_entry_is_the_stage_time_on_both_ways() -> None:
    text = configuration()
    for process in ('loki.process "audit"', 'loki.process "audit_catch_up"'):
        assert 'source = "stageTimestamp"\n\t\tformat = "RFC3339Nano"' in block(text, process)


@pytest.mark.parametrize("minutes", [1, 50, 600])
def test_only_rotated_files_are_bounded_by_the_time_to_catch_up(minutes: int) -> None:
    text = configuration(alloy=AlloySettings(catch_up_minutes=minutes))
    assert f'older_than          = "{minutes}m"' in block(text, 'loki.process "audit_catch_up"')
    assert text.count("older_than") == 1
    assert "forward_to = [loki.process.audit.receiver]" in block(text, 'loki.source.file "audit"')
    for name in ("audit_rotated", "audit_compressed"):
        assert "forward_to = [loki.process.audit_catch_up.receiver]" in block(text, f'loki.source.file "{name}"')
        listed = block(text, f'local.file_match "{name}"')
        assert "start = local.file.audit_start.content" in listed
        assert 'sync_period = "87600h"' in listed
    live = block(text, 'local.file_match "audit"')
    assert "start" not in live
    assert "sync_period" not in live


def test_an_alloy_of_the_stacks_own_reads_again_what_is_laid_there_for_it_as_a_rotated_file() -> None:
    assert f'__path__ = "{READ_AGAIN}", start = ' in block(configuration(), 'local.file_match "audit_rotated"')


def test_container_logs_are_unwrapped_on_both_ways_and_files_are_not() -> None:
    text = alloy_configuration("prod", STDOUT, AlloySettings(), LOKI)
    assert "[loki.process.audit_container_log.receiver]" in block(text, 'loki.source.file "audit"')
    assert text.count("stage.cri { }") == 2
    assert "stage.cri" not in configuration()


def test_loki_without_more_needs_only_its_url() -> None:
    write = block(configuration(), 'loki.write "audit"')
    assert '"https://loki.example.com/loki/api/v1/push"' in write
    assert "max_backoff_retries = 0" in write
    for word in ("tenant_id", "basic_auth", "tls_config"):
        assert word not in write


def test_credentials_are_named_as_files_and_never_written() -> None:
    loki = LokiSettings("https://l", 'a "tenant"', "ship", "the password", "the authority")
    text = configuration(loki)
    assert 'tenant_id           = "a \\"tenant\\""' in text
    assert 'username      = "ship"\n\t\t\tpassword_file = "/etc/alloy-loki/password"' in text
    assert 'ca_file = "/etc/alloy-loki/ca.crt"' in text
    assert "the password" not in text + repr(loki)
    assert "the authority" not in text


def test_a_snippet_forwards_to_the_receiver_that_is_there_or_brings_its_own() -> None:
    own = alloy_snippet("prod", FILE, SNIPPET, LOKI)
    whole = alloy_configuration("prod", FILE, SNIPPET, LOKI)
    assert own == "".join(line for line in whole.splitlines(keepends=True) if READ_AGAIN not in line)
    theirs = AlloySettings(AlloyMode.SNIPPET, forward_to="loki.write.default.receiver")
    for loki in (None, LOKI):
        text = alloy_snippet("prod", FILE, theirs, loki)
        assert "forward_to = [loki.write.default.receiver]" in block(text, 'loki.process "audit"')
        assert 'loki.write "' not in text
