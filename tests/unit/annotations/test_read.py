"""Reading entries of the catalogue: what is wrong is named by file, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.annotations.model import MOST_ANNOTATIONS, SENTINEL
from auditlog.annotations.read import AnnotationError, catalogue, read_entry, selected_entries
from auditlog.annotations.render import binding_spec, policy_spec

RIGHT: dict[str, Any] = {
    "about": "Something.",
    "requests": [{"group": "", "resources": ["pods"], "operations": ["CREATE"]}],
    "annotations": {"name": {"about": "The name.", "value": "object.metadata.name"}},
}


def written(folder: Path, document: Any, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"abuot": ""}, '"abuot" is no key of it; allowed: about, requests, variables, annotations'),
        ({"about": ""}, "about: is ''; allowed: a text that is not empty"),
        ({"requests": []}, "requests: is []; allowed: a list that is not empty"),
        (
            {"requests": [{"group": None, "resources": ["pods"], "operations": ["CREATE"]}]},
            "requests[0].group: is None; allowed: the name of an API group",
        ),
        (
            {"requests": [{"group": "", "resources": ["pods"], "operations": ["GET"]}]},
            'requests[0].operations: "GET"; allowed: CREATE, UPDATE, DELETE, CONNECT',
        ),
        (
            {"requests": [{"group": "", "resources": ["Pods/"], "operations": ["CREATE"]}]},
            'requests[0].resources: "Pods/"; allowed: a resource, or RESOURCE/SUBRESOURCE',
        ),
        ({"variables": {"in": "1"}}, 'variables: "in" is a word of CEL; allowed: another name'),
        ({"annotations": {"two words": {"about": "x", "value": "'x'"}}}, 'annotations: "two words"; allowed: a letter'),
        (
            {"annotations": {f"key{number}": {"about": "x", "value": "'x'"} for number in range(21)}},
            "annotations: there are 21; allowed: 1 to 19",
        ),
        (
            {"annotations": {"name": {"about": "x", "value": f"'{'x' * 10_300}'"}}},
            "annotations.name.value: has 10302 bytes; allowed: up to 10240",
        ),
        ({"variables": {"long": "1" * 10_300}}, "variables.long: has 10300 bytes; allowed: up to 10240"),
        ({"variables": {"not a name": "1"}}, 'variables: "not a name"; allowed: a letter, then letters and digits'),
        ({"annotations": {}}, "annotations: there are 0; allowed: 1 to 19"),
        ({"annotations": {SENTINEL: {"about": "x", "value": "'x'"}}}, "is added to every entry; allowed: another name"),
        ({"annotations": {"name": {"about": "x"}}}, "annotations.name.value: is None; allowed: a text"),
    ],
)
def test_a_mistake_names_the_file_the_key_and_what_is_allowed(tmp_path: Path, change: Any, said: str) -> None:
    file = written(tmp_path, {**RIGHT, **change})
    with pytest.raises(AnnotationError) as error:
        read_entry(file)
    assert str(error.value).startswith(f"{file}")
    assert said in str(error.value)


def test_a_file_that_is_not_there_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read: No such file"):
        read_entry(tmp_path / "missing.yaml")
    (tmp_path / "wrong.yaml").write_text("a: [")
    with pytest.raises(AnnotationError, match="is no YAML"):
        read_entry(tmp_path / "wrong.yaml")
    (tmp_path / "again.yaml").write_text("about: one\nabout: two\n")
    with pytest.raises(AnnotationError, match=r"is no YAML: .*duplicate key"):
        read_entry(tmp_path / "again.yaml")
    for name, text in (("month", "about: 2026-13-01"), ("hexadecimal", "about: 0x_"), ("deep", "[" * 20_000)):
        (tmp_path / f"{name}.yaml").write_text(text)
        with pytest.raises(AnnotationError, match=rf"{name}\.yaml: is no YAML: "):
            read_entry(tmp_path / f"{name}.yaml")
    with pytest.raises(AnnotationError, match='the name is "Mine"; allowed: up to 40'):
        read_entry(written(tmp_path, RIGHT, "Mine"))


def test_entries_of_ones_own_stand_beside_the_catalogue(tmp_path: Path) -> None:
    written(tmp_path, RIGHT)
    names = [entry.name for entry in selected_entries(["session"], ["mine.yaml"], tmp_path)]
    assert names == [*(entry.name for entry in catalogue() if entry.name != "session"), "mine"]
    written(tmp_path, RIGHT, "secret")
    with pytest.raises(AnnotationError, match='there is an entry "secret" already'):
        selected_entries([], ["secret.yaml"], tmp_path)


def test_a_policy_refuses_nothing_and_ends_with_the_sentinel_of_all_its_values() -> None:
    for entry in catalogue():
        spec = policy_spec(entry)
        assert "validations" not in spec
        assert spec["failurePolicy"] == "Ignore"
        *values, sentinel = spec["auditAnnotations"]
        assert len(values) < MOST_ANNOTATIONS
        assert sentinel["key"] == SENTINEL
        assert all(each["valueExpression"] in sentinel["valueExpression"] for each in values)
        assert binding_spec(entry) == {"policyName": entry.policy_name, "validationActions": ["Audit"]}
