"""The AdmissionConfiguration of the stack: all of what was there, and the folder of policies."""

from __future__ import annotations

import pytest
import yaml

from auditlog.manifest.admission_configuration import AdmissionConfigurationError, source_of, with_policies_of

FOLDER = "/etc/kubernetes/audit-annotations"
SOURCE = "/etc/kubernetes/admission/configuration.yaml"
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n"
OURS = {
    "name": "ValidatingAdmissionPolicy",
    "configuration": {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyConfiguration",
        "staticManifestsDir": FOLDER,
    },
}
THEIRS = f"""{HEAD}plugins:
# what a client may send
- name: EventRateLimit
  path: "limits.yaml"  # beside this file
- name: ImagePolicyWebhook
  path: /etc/images.yaml
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {{enforce: baseline}}
"""


def test_alone_it_has_the_folder_and_nothing_else() -> None:
    text = with_policies_of(FOLDER, None, None)
    assert yaml.safe_load(text) == {**yaml.safe_load(HEAD), "plugins": [OURS]}
    assert source_of(text) is None


def test_what_was_there_stays_with_its_comments_and_relative_paths_become_absolute() -> None:
    text = with_policies_of(FOLDER, THEIRS, SOURCE)
    assert source_of(text) == SOURCE
    assert yaml.safe_load(text)["plugins"][-1] == OURS
    kept = "".join(text.splitlines(keepends=True)[1:])
    assert kept.startswith(THEIRS.replace('"limits.yaml"', '"/etc/kubernetes/admission/limits.yaml"'))


@pytest.mark.parametrize(
    "theirs",
    [
        HEAD,
        f"{HEAD}plugins: []\n",
        f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n",
        f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n  configuration: null\n",
        f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n  configuration:\n"
        "    apiVersion: apiserver.config.k8s.io/v1\n    kind: ValidatingAdmissionPolicyConfiguration\n",
        f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n  configuration:\n"
        "    apiVersion: apiserver.config.k8s.io/v1\n    kind: ValidatingAdmissionPolicyConfiguration\n"
        f"    staticManifestsDir: {FOLDER}/\n",
    ],
)
def test_a_plugin_that_is_there_is_given_the_folder(theirs: str) -> None:
    (plugin,) = yaml.safe_load(with_policies_of(FOLDER, theirs, SOURCE))["plugins"]
    plugin["configuration"]["staticManifestsDir"] = plugin["configuration"]["staticManifestsDir"].rstrip("/")
    assert plugin == OURS


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ("imagePolicy: {}\n", "has kind None; allowed: AdmissionConfiguration"),
        ("- a\n", "has kind None; allowed: AdmissionConfiguration"),
        ("kind: [\n", "is no YAML"),
        (f"{HEAD}plugins: [{{name: PodSecurity}}]\n", "cannot be added to: plugins is written in flow style"),
        (
            f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n  path: policies.yaml\n",
            "has the configuration of ValidatingAdmissionPolicy in policies.yaml; allowed: the same as `configuration`",
        ),
        (
            f"{HEAD}plugins:\n- name: ValidatingAdmissionPolicy\n  configuration:\n    staticManifestsDir: /etc/own\n",
            "an API server reads one folder; allowed: annotations.folder: /etc/own",
        ),
    ],
)
def test_one_that_cannot_be_added_to_is_refused(theirs: str, reason: str) -> None:
    with pytest.raises(AdmissionConfigurationError, match=r".+") as error:
        with_policies_of(FOLDER, theirs, SOURCE)
    assert reason in str(error.value)
