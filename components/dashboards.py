"""The Grafana dashboards, as ConfigMaps for the sidecar or as resources of the Grafana operator."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes import apiextensions, core, meta

from auditlog.observe.dashboards import RenderedDashboard
from auditlog.settings import DashboardMode, DashboardSettings
from components.kubernetes_provider import LABELS
from components.scope import Scope


class Dashboards(pulumi.ComponentResource):
    """One object for each dashboard, named after its uid; none in mode ``off``. ``provider`` is the cluster's.

    ``depends_on`` are the nodes: the API server answers only when it is not being restarted, also on removal.
    ``objects`` are the dashboards.
    """

    objects: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        settings: DashboardSettings,
        dashboards: Sequence[RenderedDashboard],
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        provider: pulumi.ProviderResource,
    ) -> None:
        super().__init__("kubernetes-audit:index:Dashboards", scope.name(name), None, scope.options(provider))
        self._settings, self._scope = settings, scope
        self._options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        declare = {
            DashboardMode.CONFIGMAP: self._config_map,
            DashboardMode.GRAFANA_OPERATOR: self._grafana_dashboard,
        }.get(settings.mode)
        self.objects = [declare(dashboard) for dashboard in dashboards] if declare is not None else []
        self.register_outputs({})

    def _config_map(self, dashboard: RenderedDashboard) -> pulumi.Resource:
        settings = self._settings
        made: pulumi.Resource = core.v1.ConfigMap(
            self._scope.name(dashboard.uid),
            metadata=meta.v1.ObjectMetaArgs(
                name=dashboard.uid,
                namespace=settings.namespace,
                labels={**LABELS, settings.label: settings.label_value},
                annotations={settings.folder_annotation: settings.folder},
            ),
            data={dashboard.file_name: dashboard.json},
            opts=self._options,
        )
        return made

    def _grafana_dashboard(self, dashboard: RenderedDashboard) -> pulumi.Resource:
        settings = self._settings
        made: pulumi.Resource = apiextensions.CustomResource(
            self._scope.name(dashboard.uid),
            api_version="grafana.integreatly.org/v1beta1",
            kind="GrafanaDashboard",
            metadata=meta.v1.ObjectMetaArgs(name=dashboard.uid, namespace=settings.namespace, labels=LABELS),
            spec={
                "allowCrossNamespaceImport": True,
                "folder": settings.folder,
                "instanceSelector": {"matchLabels": dict(settings.instance_selector)},
                "json": dashboard.json,
            },
            opts=self._options,
        )
        return made
