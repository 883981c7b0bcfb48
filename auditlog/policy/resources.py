"""The resources of the Kubernetes API itself, 1.30 to 1.37, and those that older versions had.

The source is each version's discovery documents (`api/discovery/*.json` in kubernetes/kubernetes) with every API group
enabled. Clusters serve alpha versions, and most beta versions, only when they turn them on. Resources of custom
resource definitions and aggregated API servers are not part of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from auditlog.policy.model import NEWEST_MINOR, OLDEST_MINOR, SUPPORTED_MINORS

# At this many parts a path below /api or /apis is a resource (RequestInfoFactory.NewRequestInfo).
_RESOURCE_PATH_PARTS = {"api": 3, "apis": 4}

HEALTH_PATHS = ("/livez", "/readyz", "/healthz")
"""What kubelet and load balancers ask the API server every few seconds, without an identity."""


@dataclass(frozen=True, slots=True)
class BuiltinResource:
    """One resource of one API group, as one Kubernetes version serves it.

    `group` is "" for the core group, `resource` the lower-case plural that policies and URLs use. `versions`
    holds the most stable one first.
    """

    group: str
    resource: str
    kind: str
    short_names: tuple[str, ...]
    namespaced: bool
    versions: tuple[str, ...]
    subresources: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """Everything kubectl understands for it, in lower case: plural, singular or kind, and short names."""
        return frozenset((self.resource, self.kind.lower(), *self.short_names))

    @property
    def qualified_name(self) -> str:
        """`pods`, `deployments.apps`: the plural with its group, as kubectl writes it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class RemovedResource:
    """A resource no supported version serves.

    `removed_minor` is the first minor version without it, `instead` what to name now ("" when there is
    nothing).
    """

    group: str
    resource: str
    removed_minor: int
    instead: str


REMOVED_RESOURCES = (
    RemovedResource("auditregistration.k8s.io", "auditsinks", 19, ""),
    RemovedResource("extensions", "daemonsets", 16, "daemonsets in apps"),
    RemovedResource("extensions", "deployments", 16, "deployments in apps"),
    RemovedResource("extensions", "ingresses", 22, "ingresses in networking.k8s.io"),
    RemovedResource("extensions", "networkpolicies", 16, "networkpolicies in networking.k8s.io"),
    RemovedResource("extensions", "podsecuritypolicies", 16, ""),
    RemovedResource("extensions", "replicasets", 16, "replicasets in apps"),
    RemovedResource("networking.k8s.io", "clustercidrs", 29, ""),
    RemovedResource("policy", "podsecuritypolicies", 25, ""),
    RemovedResource("settings.k8s.io", "podpresets", 20, ""),
)
"""Resources that left the API before 1.30 and that policies still name. What left later is in the table below."""


CREDENTIAL_RESOURCES = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("authentication.k8s.io", "tokenreviews"),
)
"""Group and resource of everything whose bodies hold credentials (CIS 3.2.2, and the tokens it does not
name).
"""


def builtin_resources(minor: int) -> tuple[BuiltinResource, ...]:
    """Every resource of Kubernetes 1.`minor`, by group and name.

    Raises ValueError for a minor version other than 30 to 37.
    """
    if not OLDEST_MINOR <= minor <= NEWEST_MINOR:
        allowed = f"1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}"
        raise ValueError(f"Kubernetes 1.{minor} is not supported; allowed are {allowed}")
    return tuple(_by_group_and_name(minor).values())


def builtin_groups(minor: int) -> frozenset[str]:
    """The API groups of Kubernetes 1.`minor`, "" for the core group among them."""
    return frozenset(each.group for each in builtin_resources(minor))


def find_resource(name: str, minor: int, group: str | None = None) -> BuiltinResource | None:
    """The resource kubectl would take for a plural, singular, kind or short name, in any case.

    Without `group` the core group goes first, then the others by name. None when Kubernetes 1.`minor` has no
    such resource.
    """
    for each in builtin_resources(minor):
        if name.lower() in each.names and group in (None, each.group):
            return each
    return None


def find_resource_of_any_version(name: str, group: str | None = None) -> BuiltinResource | None:
    """`find_resource` in every supported version, the newest first."""
    found = (find_resource(name, minor, group) for minor in reversed(SUPPORTED_MINORS))
    return next((each for each in found if each is not None), None)


def closest_resource(name: str, minor: int, more: Iterable[str] = ()) -> str:
    """The name most like this one among the built-in resources and `more`; "" when none is close."""
    return next(iter(close_resources(name, minor, more)), "")


def close_resources(name: str, minor: int, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The names like this one among the built-in resources and `more`: at most 3, the closest first."""
    known = sorted({each for resource in builtin_resources(minor) for each in resource.names}.union(more))
    return tuple(difflib.get_close_matches(name.lower(), known))


def resource_in_group(group: str, resource: str, minor: int) -> BuiltinResource | None:
    """The resource with exactly this group and plural, or None."""
    return _by_group_and_name(minor).get((group, resource))


def groups_with(resource: str, minor: int) -> tuple[str, ...]:
    """The groups of Kubernetes 1.`minor` that have a resource with exactly this plural."""
    return tuple(each.group for each in builtin_resources(minor) if each.resource == resource)


def removed_since(group: str, resource: str, minor: int) -> int | None:
    """The first minor version without the resource, when an older one than 1.`minor` had it and 1.`minor` has
    not.
    """
    if resource_in_group(group, resource, minor) is not None:
        return None
    for older in range(minor - 1, OLDEST_MINOR - 1, -1):
        if resource_in_group(group, resource, older) is not None:
            return older + 1
    for removed in REMOVED_RESOURCES:
        if (removed.group, removed.resource) == (group, resource):
            return removed.removed_minor
    return None


@cache
def _by_group_and_name(minor: int) -> dict[tuple[str, str], BuiltinResource]:
    found = {}
    group = ""
    for line in _TABLE.replace(",\n    ", ",").strip().splitlines():
        if line.startswith("["):
            group = "" if line == "[core]" else line.strip("[]")
            continue
        resource, kind, short_names, scope, versions, subresources = line.split()
        served = _names_at(versions, minor)
        if served:
            found[group, resource] = BuiltinResource(
                group=group,
                resource=resource,
                kind=kind,
                short_names=_names_at(short_names, minor),
                namespaced=scope == "namespaced",
                versions=served,
                subresources=_names_at(subresources, minor),
            )
    return found


def _names_at(names: str, minor: int) -> tuple[str, ...]:
    """The names of a comma-separated list that hold for the minor version; "-" is no name at all.

    `name:32-33` holds for 1.32 and 1.33, `name:32-` from 1.32 on.
    """
    held = []
    for item in names.split(",") if names != "-" else ():
        name, _, interval = item.partition(":")
        first, _, last = interval.partition("-")
        if int(first or OLDEST_MINOR) <= minor <= int(last or NEWEST_MINOR):
            held.append(name)
    return tuple(held)


def is_resource_path(path: str) -> bool:
    """Whether RequestInfo takes a path for a resource, so that no nonResourceURLs can match it."""
    parts = path.strip("/").split("/")
    return len(parts) >= _RESOURCE_PATH_PARTS.get(parts[0], len(parts) + 1)


# [group], then a line for each resource: plural, kind, short names, scope, versions, subresources. The core
# group is
# first, so that a bare name finds it first, as kubectl does.
_TABLE = """
[core]
bindings Binding - namespaced v1 -
componentstatuses ComponentStatus cs cluster v1 -
configmaps ConfigMap cm namespaced v1 -
endpoints Endpoints ep namespaced v1 -
events Event ev namespaced v1 -
limitranges LimitRange limits namespaced v1 -
namespaces Namespace ns cluster v1 finalize,status
nodes Node no cluster v1 proxy,status
persistentvolumeclaims PersistentVolumeClaim pvc namespaced v1 status
persistentvolumes PersistentVolume pv cluster v1 status
pods Pod po namespaced v1 attach,binding,ephemeralcontainers,eviction,exec,log,
    portforward,proxy,resize:32-,status
podtemplates PodTemplate - namespaced v1 -
replicationcontrollers ReplicationController rc namespaced v1 scale,status
resourcequotas ResourceQuota quota namespaced v1 status
secrets Secret - namespaced v1 -
serviceaccounts ServiceAccount sa namespaced v1 token
services Service svc namespaced v1 proxy,status
[admissionregistration.k8s.io]
mutatingadmissionpolicies MutatingAdmissionPolicy - cluster v1:36-,v1beta1:34-,v1alpha1:32- -
mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding - cluster v1:36-,v1beta1:34-,v1alpha1:32- -
mutatingwebhookconfigurations MutatingWebhookConfiguration - cluster v1 -
validatingadmissionpolicies ValidatingAdmissionPolicy - cluster v1,v1beta1:30-33,v1alpha1:30-31 status
validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding - cluster v1,v1beta1:30-33,v1alpha1:30-31 -
validatingwebhookconfigurations ValidatingWebhookConfiguration - cluster v1 -
[apiextensions.k8s.io]
customresourcedefinitions CustomResourceDefinition crd,crds cluster v1 status
[apiregistration.k8s.io]
apiservices APIService - cluster v1 status
[apps]
controllerrevisions ControllerRevision - namespaced v1 -
daemonsets DaemonSet ds namespaced v1 status
deployments Deployment deploy namespaced v1 scale,status
replicasets ReplicaSet rs namespaced v1 scale,status
statefulsets StatefulSet sts namespaced v1 scale,status
[authentication.k8s.io]
selfsubjectreviews SelfSubjectReview - cluster v1,v1beta1:30-32,v1alpha1:30-31 -
tokenreviews TokenReview - cluster v1 -
[authorization.k8s.io]
localsubjectaccessreviews LocalSubjectAccessReview - namespaced v1 -
selfsubjectaccessreviews SelfSubjectAccessReview - cluster v1 -
selfsubjectrulesreviews SelfSubjectRulesReview - cluster v1 -
subjectaccessreviews SubjectAccessReview - cluster v1 -
[autoscaling]
horizontalpodautoscalers HorizontalPodAutoscaler hpa namespaced v2,v1 status
[batch]
cronjobs CronJob cj namespaced v1 status
jobs Job - namespaced v1 status
[certificates.k8s.io]
certificatesigningrequests CertificateSigningRequest csr cluster v1 approval,status
clustertrustbundles ClusterTrustBundle - cluster v1:37-,v1beta1:33-,v1alpha1:30-36 -
podcertificaterequests PodCertificateRequest - namespaced v1:37-,v1beta1:35-,v1alpha1:34-34 status:34-
[coordination.k8s.io]
leasecandidates LeaseCandidate - namespaced v1beta1:33-,v1alpha2:32-,v1alpha1:31-31 -
leases Lease - namespaced v1 -
[discovery.k8s.io]
endpointslices EndpointSlice - namespaced v1 -
[events.k8s.io]
events Event ev namespaced v1 -
[flowcontrol.apiserver.k8s.io]
flowschemas FlowSchema - cluster v1,v1beta3:30-31 status
prioritylevelconfigurations PriorityLevelConfiguration - cluster v1,v1beta3:30-31 status
[internal.apiserver.k8s.io]
storageversions StorageVersion - cluster v1alpha1 status
[lifecycle.k8s.io]
evictionrequests EvictionRequest - namespaced v1alpha1:37- status
evictions Eviction - namespaced v1alpha1:37- status
[networking.k8s.io]
ingressclasses IngressClass - cluster v1 -
ingresses Ingress ing namespaced v1 status
ipaddresses IPAddress ip cluster v1:33-,v1beta1:31-36,v1alpha1:30-30 -
networkpolicies NetworkPolicy netpol namespaced v1 -
servicecidrs ServiceCIDR - cluster v1:33-,v1beta1:31-36,v1alpha1:30-30 status
[node.k8s.io]
runtimeclasses RuntimeClass - cluster v1 -
[policy]
poddisruptionbudgets PodDisruptionBudget pdb namespaced v1 status
[rbac.authorization.k8s.io]
clusterrolebindings ClusterRoleBinding - cluster v1 -
clusterroles ClusterRole - cluster v1 -
rolebindings RoleBinding - namespaced v1 -
roles Role - namespaced v1 -
[resource.k8s.io]
deviceclasses DeviceClass - cluster v1:34-,v1beta2:33-,v1beta1:32-,v1alpha3:31-33 -
devicetaintrules DeviceTaintRule - cluster v1:37-,v1beta2:36-,v1alpha3:33- status:35-
podschedulingcontexts PodSchedulingContext - namespaced v1alpha3:31-31,v1alpha2:30-30 status:30-31
resourceclaimparameters ResourceClaimParameters - namespaced v1alpha2:30-30 -
resourceclaims ResourceClaim - namespaced v1:34-,v1beta2:33-,v1beta1:32-,v1alpha3:31-33,v1alpha2:30-30 status
resourceclaimtemplates ResourceClaimTemplate - namespaced v1:34-,v1beta2:33-,v1beta1:32-,v1alpha3:31-33,v1alpha2:30-30 -
resourceclasses ResourceClass - cluster v1alpha2:30-30 -
resourceclassparameters ResourceClassParameters - namespaced v1alpha2:30-30 -
resourcepoolstatusrequests ResourcePoolStatusRequest - cluster v1alpha3:36- status:36-
resourceslices ResourceSlice - cluster v1:34-,v1beta2:33-,v1beta1:32-,v1alpha3:31-33,v1alpha2:30-30 -
[scheduling.k8s.io]
compositepodgroups CompositePodGroup - namespaced v1alpha3:37- status
podgroups PodGroup - namespaced v1beta1:37-,v1alpha3:37-,v1alpha2:36-36 status:36-
priorityclasses PriorityClass pc cluster v1 -
workloads Workload - namespaced v1beta1:37-,v1alpha3:37-,v1alpha2:36-36,v1alpha1:35-35 -
[storage.k8s.io]
csidrivers CSIDriver - cluster v1 -
csinodes CSINode - cluster v1 status:37-
csistoragecapacities CSIStorageCapacity - namespaced v1 -
storageclasses StorageClass sc cluster v1 -
volumeattachments VolumeAttachment - cluster v1 status
volumeattributesclasses VolumeAttributesClass vac cluster v1:34-,v1beta1:31-36,v1alpha1:30-34 -
[storagemigration.k8s.io]
storageversionmigrations StorageVersionMigration - cluster v1:37-,v1beta1:35-,v1alpha1:30-34 status
"""
