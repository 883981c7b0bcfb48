"""The stack: the configuration of one cluster -> its audit logging -> the stack's outputs."""

from __future__ import annotations

import gc

# Nothing of what the program makes is garbage before it is over. Going through all of it again and again, and once more
# at the end, would take a fifth of a preview.
gc.disable()

import pulumi

from components import outcome
from components.cluster import audit_cluster
from components.configuration import read_configuration
from components.scope import Scope


@outcome.stop_on_mistake
def main() -> None:
    configuration = read_configuration()
    for name, value in audit_cluster(configuration, Scope.of_program()).outputs.items():
        pulumi.export(name, value)


try:
    main()
except pulumi.RunError:
    outcome.end_with_one_message()
    raise
finally:
    gc.freeze()
    gc.enable()
