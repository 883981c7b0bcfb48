"""Whether the container sees what its flags name."""

from __future__ import annotations

from auditlog.checks.finding import Severity
from auditlog.checks.mounts import mount_findings
from tests.unit.checks.servers import LOG, edited, server

LOG_MOUNT = "    - mountPath: /var/log/kubernetes/audit\n      name: audit-logs\n"
LOG_VOLUME = (
    "  - hostPath:\n      path: /var/log/kubernetes/audit\n      type: DirectoryOrCreate\n    name: audit-logs\n"
)


def test_the_mounts_that_up_writes_are_well() -> None:
    assert list(mount_findings(server())) == []


def test_a_log_in_a_folder_that_is_not_mounted() -> None:
    (finding,) = mount_findings(server("--audit-log-path=/var/lib/audit/audit.log", without="audit-log-path"))
    assert (finding.id, finding.severity) == ("not-mounted", Severity.ERROR)
    assert "inside the container" in finding.consequence


def test_a_webhook_kubeconfig_that_is_not_mounted() -> None:
    (finding,) = mount_findings(server("--audit-webhook-config-file=/etc/kubernetes/hook.yaml"))
    assert finding.id == "not-mounted"
    assert finding.consequence.endswith("the API server does not start")


def test_a_log_in_a_folder_that_is_mounted_read_only() -> None:
    (finding,) = mount_findings(edited(LOG_MOUNT, LOG_MOUNT + "      readOnly: true\n"))
    assert (finding.id, finding.severity) == ("log-read-only", Severity.ERROR)


def test_the_innermost_mount_counts() -> None:
    inner = "    - mountPath: /var/log/kubernetes\n      name: k8s-certs\n      readOnly: true\n"
    assert list(mount_findings(edited(LOG_MOUNT, inner + LOG_MOUNT))) == []


def test_a_log_file_that_is_mounted_by_itself() -> None:
    mount = f"    - mountPath: {LOG}\n      name: audit-file\n"
    volume = f"  - hostPath:\n      path: {LOG}\n      type: FileOrCreate\n    name: audit-file\n"
    text = server().text
    changed = text.replace(LOG_MOUNT, LOG_MOUNT + mount).replace(LOG_VOLUME, LOG_VOLUME + volume)
    (finding,) = mount_findings(edited(text, changed))
    assert (finding.id, finding.severity) == ("log-mounted-as-file", Severity.ERROR)
    assert "rotation" in finding.consequence
    assert finding.remedy == "mount /var/log/kubernetes/audit instead"


def test_a_log_on_a_read_only_file_system_of_the_node() -> None:
    (finding,) = mount_findings(edited("image:", "image:", log_read_only="/var/log"))
    assert (finding.id, finding.severity) == ("log-file-system-read-only", Severity.ERROR)
    assert list(mount_findings(edited(f"path={LOG}", "path=-", log_read_only="/var/log"))) == []
