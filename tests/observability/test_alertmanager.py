"""Real Alertmanager with the route of the guide and the stack's inhibition: one act rings once. No lab.

The guide's times are made shorter, and the alerts have the labels of the rules that Loki gets.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.detections.acts import inhibit_rules
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from lab.paths import REPOSITORY, Paths

GUIDE = REPOSITORY / "docs" / "guides" / "dashboards.md"
WAIT, INTERVAL = 1, 6
"""Seconds of the route's group_wait and group_interval here."""
RULES = {
    rule["labels"]["detection"]: rule
    for group in loki_rules(RuleScope("prod", ("cp1",))).groups
    for rule in group["rules"]
}


@dataclass
class Bell:
    """Alertmanager, and what it has sent: for each message its receiver, its group, and the detections that fire."""

    url: str
    rang: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    def fire(self, detections: Sequence[str], user: str, *, ended: bool = False) -> None:
        """As the ruler does at each evaluation; ``ended`` once no event is in the window any more."""
        now = datetime.now(UTC)
        ends = now if ended else now + timedelta(minutes=4)
        alerts = [
            {
                "labels": {"alertname": RULES[each]["alert"], **RULES[each]["labels"], "user": user},
                "annotations": {"summary": "x"},
                "startsAt": now.isoformat(),
                "endsAt": ends.isoformat(),
            }
            for each in detections
        ]
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert answer.status == 200

    def messages(self, user: str, *, receiver: str = "pager") -> list[tuple[str, ...]]:
        """What fires in each message about a user, oldest first."""
        return [firing for to, group, firing in self.rang if to == receiver and f'user="{user}"' in group]

    def groups(self, user: str) -> set[str]:
        return {group for _, group, _ in self.rang if f'user="{user}"' in group}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(folder: Path, hook: str) -> Path:
    """The guide's, with the rules that `auditlog rules` writes, receivers that are here, and shorter times."""
    (text,) = re.findall(r"```yaml\n(route:.*?)```", GUIDE.read_text(), re.DOTALL)
    made = {**yaml.safe_load(text), "inhibit_rules": inhibit_rules()}
    made["route"] |= {"group_wait": f"{WAIT}s", "group_interval": f"{INTERVAL}s"}
    for receiver in made["receivers"]:
        (webhook,) = receiver["webhook_configs"]
        webhook["url"] = f"{hook}/{receiver['name']}"
    file = folder / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(made))
    return file


@pytest.fixture(scope="module")
def bell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bell]:
    folder = tmp_path_factory.mktemp("alertmanager")
    port = free_port()
    made = Bell(f"http://127.0.0.1:{port}")

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            firing = sorted(each["labels"]["detection"] for each in message["alerts"] if each["status"] == "firing")
            made.rang.append((self.path.strip("/"), message["groupKey"], tuple(firing)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    file = configuration(folder, f"http://127.0.0.1:{server.server_address[1]}")
    command: list[str | Path] = [
        *(Paths.of().bin / "alertmanager", f"--config.file={file}", f"--storage.path={folder / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
    ]
    with (folder / "said").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            wait_for(f"{made.url}/-/ready", process)
            yield made
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            server.server_close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "alertmanager ended"
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


EXEC = ("exec-session", "exec-in-kube-system", "suspicious-exec-command")
GRAVEST = ("exec-in-kube-system", "suspicious-exec-command")


def wait_a_group_interval() -> None:
    time.sleep(WAIT + INTERVAL + 1)


def test_one_act_rings_once_for_each_user(bell: Bell) -> None:
    bell.fire(EXEC, "one")
    bell.fire(EXEC, "other")
    wait_a_group_interval()
    assert bell.messages("one") == [GRAVEST]
    assert bell.messages("other") == [GRAVEST]
    assert bell.messages("one", receiver="journal") == [], "held back"


def test_an_info_alone_does_not_page(bell: Bell) -> None:
    bell.fire(["exec-session"], "quiet")
    wait_a_group_interval()
    assert bell.messages("quiet") == []
    assert bell.messages("quiet", receiver="journal") == [("exec-session",)]


def test_an_act_in_steps_rings_once_and_a_later_one_again(bell: Bell) -> None:
    bell.fire(GRAVEST, "steps")
    time.sleep(WAIT + 1)
    assert bell.messages("steps") == [GRAVEST]
    # The first alert ends, and the next step raises it again before the group is looked at.
    bell.fire(GRAVEST, "steps", ended=True)
    bell.fire(GRAVEST, "steps")
    wait_a_group_interval()
    assert bell.messages("steps") == [GRAVEST]
    bell.fire(GRAVEST, "steps", ended=True)
    wait_a_group_interval()
    bell.fire(GRAVEST, "steps")
    wait_a_group_interval()
    assert bell.messages("steps") == [GRAVEST, GRAVEST]


def test_a_milder_rule_that_runs_after_the_graver_alert_has_ended_is_a_message_of_the_same_group(bell: Bell) -> None:
    graver, milder = ["secrets-listed-everywhere"], ["kube-system-secrets-listed"]
    bell.fire(graver, "late")
    time.sleep(WAIT + 1)
    bell.fire(graver, "late", ended=True)
    bell.fire(milder, "late")
    wait_a_group_interval()
    assert bell.messages("late") == [tuple(graver), tuple(milder)]
    assert len(bell.groups("late")) == 1
