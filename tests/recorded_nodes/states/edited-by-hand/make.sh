# The manifest has comments, quotes and a flag by hand, and no audit logging.
sed -i -e '1i # edited by ops, do not regenerate' \
    -e 's/^    - --allow-privileged=true$/    - "--allow-privileged=true" # kube-proxy/' \
    -e 's/^    - --enable-admission-plugins=.*/&\n    - --max-requests-inflight=500/' /etc/kubernetes/manifests/kube-apiserver.yaml
