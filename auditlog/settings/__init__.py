"""The stack's configuration as typed values, checked in full before anything is contacted.

``parse_settings`` takes what ``Pulumi.<env>.yaml`` holds under the project's name, already decoded, and returns
``Settings``. All errors are reported together. Each names the key, the value and what is allowed.
"""

from auditlog.policy.settings import DEFAULT_POLICY_PATH, PolicySettings
from auditlog.settings.alerts import AlertSettings, LokiRules, PrometheusRules
from auditlog.settings.dashboards import DashboardMode, DashboardSettings
from auditlog.settings.delivery import Batch, Delivery, Mode, Throttle, Truncate
from auditlog.settings.hosts import Host, is_host_key, is_name
from auditlog.settings.log import DEFAULT_LOG_PATH, STDOUT, LogFormat, LogSettings
from auditlog.settings.mistake import Mistake, SettingsError
from auditlog.settings.parse import KEYS, SECRET_KEYS, Settings, parse_settings
from auditlog.settings.proof import ProofSettings
from auditlog.settings.restart import RestartMode, RestartSettings
from auditlog.settings.shipping import AlloyMode, AlloySettings, LokiSettings, Resources
from auditlog.settings.webhook import DEFAULT_WEBHOOK_PATH, WebhookSettings

__all__ = [
    "DEFAULT_LOG_PATH",
    "DEFAULT_POLICY_PATH",
    "DEFAULT_WEBHOOK_PATH",
    "KEYS",
    "SECRET_KEYS",
    "STDOUT",
    "AlertSettings",
    "AlloyMode",
    "AlloySettings",
    "Batch",
    "DashboardMode",
    "DashboardSettings",
    "Delivery",
    "Host",
    "LogFormat",
    "LogSettings",
    "LokiRules",
    "LokiSettings",
    "Mistake",
    "Mode",
    "PolicySettings",
    "PrometheusRules",
    "ProofSettings",
    "Resources",
    "RestartMode",
    "RestartSettings",
    "Settings",
    "SettingsError",
    "Throttle",
    "Truncate",
    "WebhookSettings",
    "is_host_key",
    "is_name",
    "parse_settings",
]
