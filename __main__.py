"""The stack: the configuration of one cluster -> its audit logging -> the stack's outputs."""

from __future__ import annotations

import gc

# Nothing of what the program makes is garbage before it is over. Going through all of it again and again, and once more
# at the end, would take a fifth of a preview.
gc.disable()

import pulumi

from components.cluster import audit_cluster
from components.configuration import read_configuration
from components.outcome import stop_on_mistake
from components.scope import Scope


@stop_on_mistake
def main() -> None:
    configuration = read_configuration()
    for name, value in audit_cluster(configuration, Scope.of_program()).outputs.items():
        pulumi.export(name, value)


try:
    main()
finally:
    gc.freeze()
    gc.enable()
