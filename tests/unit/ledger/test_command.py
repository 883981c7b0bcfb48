"""`auditlog ledger`: mistakes in its arguments, and what it prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlog.cli import main
from tests.observability.ledger_logs import Logs

LOKI = "http://127.0.0.1:1"
PROMETHEUS = "cp1={log} --chain {chain} --prometheus http://127.0.0.1:1 "
STACK = """config:
  kubernetes-audit:cluster: prod
  kubernetes-audit:nodes:
    - name: cp1
      host: 10.0.0.1
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh
"""


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """Five files of ten minutes each that ended ten minutes ago."""
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=60)
    made = Logs(tmp_path / "logs", begin)
    for number in range(4):
        made.rotated(made.lines(number * 600, number * 600 + 600, 0.2), number * 600 + 600, compress=number < 2)
    made.live.write_text("".join(made.lines(2400, 3000, 0.2)))
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "give either --stack NAME, or NODE=LOG"),
        ("cp1={log} --stack prod", "give either --stack NAME, or NODE=LOG"),
        ("cp1={log}", "there is nothing to compare the logs with: give --loki URL, --chain FILE or both"),
        (f"cp1={{log}} --loki {LOKI}", "--cluster is missing"),
        ("{log} --chain {chain}", "names no node; allowed: NODE=LOG, such as cp1="),
        ("cp1={log} cp1={log} --chain {chain}", "cp1 is given twice"),
        ("cp1=/no/where/audit.log --chain {chain}", "there is no folder /no/where"),
        ("cp1={log} --chain {chain} --head abc", "--head is 'abc'; allowed: the 64 hexadecimal digits"),
        (f"cp1={{log}} --loki {LOKI} --cluster x --head abc", "--head is for --chain FILE"),
        ("cp1={log} --chain {folder}", "allowed: a file that can be read and appended to"),
        ("cp1={log} --chain {chain} --since 2h --until 3h", "is later than --until"),
        ("cp1={log} --chain {chain} --since 19:40:10 --until 19:40:50", "there is no whole minute"),
        (f"cp1={{log}} --loki {LOKI} --cluster x --loki-user a", "--loki-user and --loki-password-file are needed"),
        (f"cp1={{log}} --loki {LOKI} --cluster x", "cannot be reached"),
        ("cp1={log} --chain {chain} --prometheus prom", "--prometheus is 'prom'; allowed: an address"),
        ("cp1={log} --chain {chain} --prometheus http://a:b@prom", "allowed: --prometheus-user with --prometheus-pass"),
        ("cp1={log} --chain {chain} --prometheus http://p/api/v1/query", "allowed: the address up to /api/v1"),
        ("cp1={log} --chain {chain} --prometheus-token-file {log}", "--prometheus-token-file is for --prometheus URL"),
        (PROMETHEUS + "--prometheus-user a", "--prometheus-user and --prometheus-password-file are needed together"),
        (
            PROMETHEUS + "--prometheus-user a --prometheus-password-file {log} --prometheus-token-file {log}",
            "--prometheus-user and --prometheus-token-file are both given",
        ),
        (PROMETHEUS + "--prometheus-token-file {folder}/no", "--prometheus-token-file {folder}/no: No such file"),
        (PROMETHEUS.replace("http", "https") + "--prometheus-ca {folder}/no", "--prometheus-ca {folder}/no: No such"),
        ("cp1={log} --chain {chain} --report {folder}", "--report"),
        ("--stack {folder}/none.yaml", "none.yaml: "),
        ("--stack {stack} --identity {folder}/none", "--identity"),
        ("--stack {legacy}", "auditLog.format is legacy; allowed: json"),
        ("--stack {stdout} --chain {chain}", "is standard output"),
    ],
)
def test_a_mistake_is_one_message(
    words: str,
    said: str,
    logs: Logs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    stacks = {"stack": "", "legacy": "format: legacy", "stdout": 'path: "-"'}
    for name, setting in stacks.items():
        more = f"  kubernetes-audit:auditLog:\n    {setting}\n" if setting else ""
        (tmp_path / f"{name}.yaml").write_text(STACK + more)
    places = {name: tmp_path / f"{name}.yaml" for name in stacks}
    filled = words.format(log=logs.live, chain=tmp_path / "chain.jsonl", folder=tmp_path, **places)
    assert main(["ledger", *filled.split()]) == 2
    printed = capsys.readouterr().err
    assert said.replace("{folder}", str(tmp_path)) in printed
    assert printed.count("\n") == 1


def test_copied_logs_against_their_chain(logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ledger", f"cp1={logs.live}", "--chain", str(tmp_path / "chain.jsonl")]
    assert main(words) == 0
    assert "the chain begins with this run; what was changed before cannot be known" in capsys.readouterr().out
    assert main([*words, "--report", str(tmp_path / "ledger.json")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("complete: ")
    assert "compared with 1 earlier runs" in printed
    report = json.loads((tmp_path / "ledger.json").read_text())
    assert (report["verdict"], report["exit_code"], report["nodes"][0]["minutes"]) == ("complete", 0, 57)
    assert report["chain"]["head"] in printed
    sorted(logs.folder.glob("audit-2*"))[1].unlink()
    assert main(words) == 1
    assert "file-gone: 120 events" in capsys.readouterr().out


def test_a_minute_that_is_under_way_is_no_answer(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", f"cp1={logs.live}", "--chain", str(tmp_path / "chain.jsonl"), "--since", "2m"]) == 3
    assert "nothing-compared" in capsys.readouterr().out
