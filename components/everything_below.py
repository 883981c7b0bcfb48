"""What ``depends_on=[component]`` waits for when the component declares its children later."""

from __future__ import annotations

import pulumi


class EverythingBelow(pulumi.CustomResource):
    """Represents, among a component's children, those that are declared once its arguments are known.

    Pulumi's SDK expands a component in ``depends_on`` to the children that the component has at that moment, and waits
    for their URNs. Each part has one of these from the beginning. ``last`` is the URN of the resource that changes last
    in the part, set once all of the part are done. The engine never hears of it.
    """

    def __init__(self, component: pulumi.ComponentResource, last: pulumi.Output[str]) -> None:
        super().__init__("", "", dependency=True)
        self.__dict__["urn"] = last
        # There is no public way to be a child without being registered.
        component._childResources.add(self)
