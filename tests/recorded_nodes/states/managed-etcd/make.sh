# The flags on etcd are those of one that is managed elsewhere: a prefix, an own server for events, other timeouts.
sed -i -e 's#^    - --etcd-servers=.*#&\n    - --etcd-servers-overrides=/events\#https://127.0.0.1:2379\n    - --etcd-compaction-interval=0s\n    - --etcd-healthcheck-timeout=10s#' \
    /etc/kubernetes/manifests/kube-apiserver.yaml
