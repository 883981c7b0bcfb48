"""A Pulumi program that declares resources as another stack has them, from ``resources.json`` beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi_command import remote

declared: dict[str, pulumi.Resource] = {}
for each in json.loads(Path("resources.json").read_text()):
    options = pulumi.ResourceOptions(parent=declared.get(each["parent"]))
    if each["command"] is None:
        declared[each["urn"]] = pulumi.ComponentResource(each["type"], each["name"], None, options)
        continue
    inputs: dict[str, Any] = each["command"]
    connection = dict(inputs["connection"])
    connection["private_key"] = pulumi.Output.secret(connection["private_key"])
    declared[each["urn"]] = remote.Command(
        each["name"],
        connection=remote.ConnectionArgs(**connection),
        create=inputs["text"],
        update=inputs["text"],
        delete=inputs["text"],
        stdin=inputs["stdin"],
        add_previous_output_in_env=False,
        opts=options,
    )
