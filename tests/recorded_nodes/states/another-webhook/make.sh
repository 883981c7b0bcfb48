# Somebody else's webhook gets events: a policy and a kubeconfig that are mounted by hand, no log.
mkdir -p /etc/kubernetes/siem
printf '%s\n' 'apiVersion: audit.k8s.io/v1' 'kind: Policy' 'rules:' '- level: Metadata' >/etc/kubernetes/siem/policy.yaml
printf '%s\n' 'apiVersion: v1' 'kind: Config' 'clusters: [{name: siem, cluster: {server: "https://127.0.0.1:9/events"}}]' \
    'contexts: [{name: siem, context: {cluster: siem, user: ""}}]' 'current-context: siem' >/etc/kubernetes/siem/webhook.yaml
sed -i -e 's#^    - --authorization-mode=.*#    - --audit-policy-file=/etc/kubernetes/siem/policy.yaml\n    - --audit-webhook-config-file=/etc/kubernetes/siem/webhook.yaml\n    - --audit-webhook-batch-max-wait=5s\n&#' \
    -e 's#^    volumeMounts:$#&\n    - mountPath: /etc/kubernetes/siem\n      name: siem\n      readOnly: true#' \
    -e 's#^  volumes:$#&\n  - hostPath:\n      path: /etc/kubernetes/siem\n      type: Directory\n    name: siem#' \
    /etc/kubernetes/manifests/kube-apiserver.yaml
