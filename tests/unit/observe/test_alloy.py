"""The text of Alloy's configuration; that Alloy itself takes it and ships by it is shown in tests/lab."""

from __future__ import annotations

import re

import pytest

from auditlog.observe.alloy import STORAGE, STRUCTURED_METADATA, alloy_configuration, alloy_snippet
from auditlog.observe.source import Source, source_of
from auditlog.settings import AlloyMode, AlloySettings, LokiSettings

LOKI = LokiSettings("https://loki.example.com/")
FILE = source_of("/var/log/kubernetes/audit/audit.log")
STDOUT = source_of("-")
SNIPPET = AlloySettings(AlloyMode.SNIPPET)


def configuration(loki: LokiSettings = LOKI) -> str:
    return alloy_configuration("prod", FILE, loki)


def block(text: str, start: str) -> str:
    """The block of the text's top level that begins so."""
    return text[text.index(f"{start} {{\n") :].split("\n}\n", 1)[0]


def test_an_entry_has_three_labels_and_nothing_else_becomes_one() -> None:
    pipeline = block(configuration(), 'loki.process "audit"')
    labels = block(pipeline, "stage.static_labels")
    assert re.findall(r"^\t\t\t(\w+) += (.*),$", labels, re.MULTILINE)[:3] == [
        ("job", '"kubernetes-audit"'),
        ("cluster", '"prod"'),
        ("node", 'sys.env("NODE_NAME")'),
    ]
    # What the counters are told apart by is a label only until then.
    assert pipeline.rindex("stage.") == pipeline.index("stage.label_keep")
    assert 'values = ["job", "cluster", "node"]' in block(pipeline, "stage.label_keep")


def test_every_field_is_read_and_becomes_structured_metadata() -> None:
    pipeline = block(configuration(), 'loki.process "audit"').split("stage.static_labels")[0]
    for name in STRUCTURED_METADATA:
        assert len(re.findall(rf"^\t\t\t{name} += .*,$", pipeline, re.MULTILINE)) == 2


def test_the_time_of_an_entry_is_the_stage_time() -> None:
    text = block(configuration(), 'loki.process "audit"')
    assert 'source = "stageTimestamp"\n\t\tformat = "RFC3339Nano"' in text


@pytest.mark.parametrize("source", [FILE, STDOUT])
def test_every_file_is_read_from_its_beginning_and_by_its_content(source: Source) -> None:
    files = block(alloy_configuration("prod", source, LOKI), 'otelcol.receiver.filelog "audit"')
    for pattern in (*source.live, *source.rotated, *source.compressed):
        assert f'\t\t"{pattern}",\n' in files
    assert re.search(r'start_at += "beginning"', files)
    assert re.search(r'compression += "auto"', files)
    assert "exclude_older_than" not in files, "it would leave out what waits for Loki that long"


def test_places_are_kept_where_the_script_looks_after_them_or_through_to_the_disk() -> None:
    own = block(configuration(), 'otelcol.storage.file "audit"')
    assert own.endswith(f'directory = "{STORAGE}/places"')
    assert "fsync = true" in block(alloy_snippet("prod", FILE, SNIPPET, LOKI), 'otelcol.storage.file "audit"')


def test_container_logs_are_unwrapped_file_by_file_and_files_are_not() -> None:
    text = alloy_configuration("prod", STDOUT, LOKI)
    assert 'type = "container", format = "containerd"' in text
    assert re.search(r"include_file_path += true", text), "lines are put together by the path they are from"
    assert "container" not in configuration()


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
    assert "forward_to = [loki.write.audit.receiver]" in block(own, 'loki.process "audit"')
    assert 'loki.write "audit"' in own
    assert STORAGE not in own
    theirs = AlloySettings(AlloyMode.SNIPPET, forward_to="loki.write.default.receiver")
    for loki in (None, LOKI):
        text = alloy_snippet("prod", FILE, theirs, loki)
        assert "forward_to = [loki.write.default.receiver]" in block(text, 'loki.process "audit"')
        assert 'loki.write "' not in text
