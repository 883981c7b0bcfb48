"""What really has to be done on a cluster for each detection on events to fire, as POSIX shell on a control-plane node.

`K` is kubectl with the administrator's rights, `api URL` a request without credentials, `as_workload URL` one with the
token of ServiceAccount default/default. Everything is made in namespace `detections`, which is removed with all in it.
"""

from __future__ import annotations

PREPARE = """
set -u
export KUBECONFIG=/etc/kubernetes/admin.conf
K=kubectl
S=https://localhost:6443
I=$($K -n kube-system get pods -l component=etcd -o jsonpath='{.items[0].spec.containers[0].image}')
E=$($K -n kube-system get pods -l component=etcd -o jsonpath='{.items[0].metadata.name}')
NODE=$($K get nodes -o jsonpath='{.items[0].metadata.name}')
api() { curl -sk -o /dev/null "$S$1"; }
T=$($K -n default create token default)
as_workload() { curl -sk -o /dev/null -H "Authorization: Bearer $T" "$S$1"; }
repeat() { n=$1; shift; while [ "$n" -gt 0 ]; do "$@"; n=$((n - 1)); done; }
request() {
    csr=$(openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=detections 2>/dev/null | base64 -w 0)
    printf '{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"%s",' "$1"
    printf '"labels":{"detections":"made"}},"spec":{"request":"%s","usages":["client auth"],' "$csr"
    printf '"signerName":"kubernetes.io/kube-apiserver-client"}}'
}
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","namespace":"%s"},"spec":{"nodeName":"none"%s,' \
        "$1" "$2" "$3"
    printf '"containers":[{"name":"a","image":"%s"%s}]}}' "$I" "$4"
}
"""

CLEAN = """
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl delete namespace detections --ignore-not-found --wait=false
kubectl delete clusterrole,clusterrolebinding -l detections=made --ignore-not-found
kubectl delete csr,validatingwebhookconfiguration,validatingadmissionpolicybinding -l detections=made --ignore-not-found
kubectl delete apiservice v1.detections.example.com --ignore-not-found
kubectl -n kube-system delete pod,serviceaccount detections --ignore-not-found --grace-period=0 --force
"""

_PRIVILEGED = ',"securityContext":{"privileged":true}'
_CAPABILITY = ',"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}'
_HOST_PATH = ',"volumes":[{"name":"v","hostPath":{"path":"/etc/kubernetes"}}]'

PADDED = """
    { printf '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"padded","namespace":"detections"},"spec":'
    printf '{"replicas":0,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":'
    printf '{"containers":[{"name":"c","image":"x:1"}'
    i=0; while [ $i -lt 1500 ]; do i=$((i + 1)); printf ',{"name":"c%s","image":"x:1"}' $i; done
    printf ']}}}}'; } >/tmp/detections-padded.json
    $K create -f /tmp/detections-padded.json
    $K -n detections set image deployment/padded c3=evil:1
"""
"""A Deployment with so many containers that what its update changed costs the policy too much to say."""

ACTIONS: dict[str, str] = {
    "anonymous-access-succeeded": """
        $K create clusterrolebinding detections-anonymous --clusterrole=view --user=system:anonymous
        $K label clusterrolebinding detections-anonymous detections=made
        for i in 1 2 3 4 5; do api /api/v1/namespaces/default/pods; sleep 1; done
    """,
    "anonymous-request-rate": "repeat 40 api /api/v1/secrets",
    "authentication-failures": "T=nobody; repeat 40 as_workload /api/v1/namespaces/default/pods",
    "forbidden-burst": "repeat 40 as_workload /api/v1/secrets",
    "permission-enumeration": "$K auth can-i --list",
    "impersonation": "$K --as=kubernetes-admin --as-group=system:masters -n default get pods",
    "break-glass-credential-used": "$K --kubeconfig=/etc/kubernetes/super-admin.conf -n default get pods",
    "service-account-used-by-hand": "as_workload /api/v1/namespaces/default/pods",
    "secret-read-by-person": "$K -n default get secrets",
    "secrets-listed-everywhere": "$K get secrets --all-namespaces",
    "secret-sweep": """
        i=0; names=
        while [ $i -lt 25 ]; do
            i=$((i + 1)); names="$names s-$i"
            printf '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s-%s","namespace":"detections"}}\\n' $i
        done >/tmp/detections-secrets.json
        $K create -f /tmp/detections-secrets.json
        i=0; while [ $i -lt 25 ]; do i=$((i + 1)); $K -n detections get secret "s-$i" -o name; done
    """,
    "token-requested": "$K -n default create token default",
    "bootstrap-token-created": "ID=$(kubeadm token create --ttl 5m | cut -d. -f1); kubeadm token delete $ID",
    "certificate-approved": """
        request detections-a | $K create -f -
        $K certificate deny detections-a
    """,
    "client-certificate-requested": """
        request detections-b | $K create -f -
    """,
    "exec-session": "$K -n kube-system exec $E -- true || true",
    "exec-in-kube-system": "$K -n kube-system exec $E -- true || true",
    "suspicious-exec-command": "$K -n kube-system exec $E -- curl http://169.254.169.254/ || true",
    "attach-or-port-forward": "timeout 5 $K -n kube-system port-forward $E 12379:2381 & sleep 2;"
    " curl -s -o /dev/null http://localhost:12379/health; wait || true",
    "proxy-to-workload": """
        P=https:kube-apiserver-$NODE:6443
        $K get --raw /api/v1/namespaces/kube-system/pods/$P/proxy/healthz
    """,
    "node-proxy-used": "$K get --raw /api/v1/nodes/$NODE/proxy/healthz",
    "ephemeral-container-added": """
        pod debugged detections '' '' | $K create -f -
        $K -n detections debug debugged --image=$I -c detections-$$ -- true
    """,
    "cluster-admin-bound": """
        $K create clusterrolebinding detections-admin --clusterrole=cluster-admin --user=detections
        $K label clusterrolebinding detections-admin detections=made
    """,
    "binding-to-everyone": """
        $K create clusterrolebinding detections-all --clusterrole=system:discovery --group=system:authenticated
        $K label clusterrolebinding detections-all detections=made
    """,
    "wildcard-role": """
        $K create clusterrole detections-all --verb='*' --resource=configmaps
        $K label clusterrole detections-all detections=made
    """,
    "escalating-verb-granted": """
        $K create clusterrole detections-bind --verb=bind --resource=clusterroles.rbac.authorization.k8s.io
        $K label clusterrole detections-bind detections=made
    """,
    "rbac-change-rate": """
        i=0; while [ $i -lt 25 ]; do
            i=$((i + 1)); $K -n detections create role "r-$i" --verb=get --resource=configmaps
        done
    """,
    "rbac-changed-by-workload": """
        $K -n default create rolebinding detections-a --clusterrole=admin --serviceaccount=default:default
        kubectl --kubeconfig=/dev/null --server=$S --insecure-skip-tls-verify --token=$T -n default \\
            delete rolebinding detections-a
    """,
    "service-account-in-kube-system": "$K -n kube-system create serviceaccount detections",
    "privileged-container": f"pod privileged detections '' '{_PRIVILEGED}' | $K create -f -",
    "host-namespace": "pod host detections ',\"hostPID\":true' '' | $K create -f -",
    "sensitive-host-path": f"pod path detections '{_HOST_PATH}' '' | $K create -f -",
    "workload-in-kube-system": "pod detections kube-system '' '' | $K create -f -",
    "cluster-configuration-changed": "$K -n kube-system annotate --overwrite configmap kubeadm-config detections=$$",
    "mass-deletion": """
        i=0; while [ $i -lt 60 ]; do
            i=$((i + 1))
            printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%s","namespace":"detections"}}\\n' $i
        done >/tmp/detections-maps.json
        $K create -f /tmp/detections-maps.json
        $K delete -f /tmp/detections-maps.json --wait=false
    """,
    "admission-webhook-changed": """
        printf '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration",
        "metadata":{"name":"detections","labels":{"detections":"made"}}}' | $K create -f -
    """,
    "admission-policy-changed": """
        printf '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding",
        "metadata":{"name":"detections","labels":{"detections":"made"}},
        "spec":{"policyName":"none","validationActions":["Audit"]}}' | $K create -f -
    """,
    "annotation-policy-changed": """
        printf '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding",
        "metadata":{"name":"audit-annotations-detections","labels":{"detections":"made"}},
        "spec":{"policyName":"none","validationActions":["Audit"]}}' | $K create -f - &&
        $K delete validatingadmissionpolicybinding audit-annotations-detections
    """,
    "api-service-changed": """
        printf '{"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService",
        "metadata":{"name":"v1.detections.example.com"},"spec":{"group":"detections.example.com","version":"v1",
        "groupPriorityMinimum":1,"versionPriority":1,"insecureSkipTLSVerify":true,
        "service":{"name":"none","namespace":"detections"}}}' | $K create -f -
    """,
    "pod-security-lowered": "$K label --overwrite namespace detections pod-security.kubernetes.io/enforce=privileged",
    "events-deleted": "$K delete --raw /api/v1/namespaces/detections/events",
    "deprecated-api-used": "$K get componentstatuses",
    "sensitive-access-granted": """
        $K create clusterrole detections-secrets --verb=get --resource=secrets
        $K label clusterrole detections-secrets detections=made
    """,
    "system-role-changed": "$K annotate --overwrite clusterrole system:basic-user detections=$$",
    "service-account-bound-cluster-wide": """
        $K create clusterrolebinding detections-account --clusterrole=view --serviceaccount=detections:default
        $K label clusterrolebinding detections-account detections=made
    """,
    "dangerous-capability": f"pod capable detections '' '{_CAPABILITY}' | $K create -f -",
    "container-patched-in": """
        $K -n detections create deployment patched --image=$I --replicas=0
        $K -n detections patch deployment patched --type=json \\
            -p '[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"b","image":"none"}}]'
    """,
    "node-port-opened": "$K -n detections create service nodeport opened --tcp=80:80",
    "kube-system-secrets-listed": "$K -n kube-system get secrets",
    "secret-changed-by-person": """
        $K -n detections create secret generic changed --from-literal=a=b
        $K -n detections delete secret changed
    """,
    "attack-tool-used": "curl -sk -o /dev/null -A kube-hunter $S/api/v1/secrets",
}
