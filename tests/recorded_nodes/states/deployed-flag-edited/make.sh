# The released version has turned audit logging on; somebody then shortened how long the log is kept, in the manifest.
sed -i -e 's/^    - --audit-log-maxage=.*/    - --audit-log-maxage=7/' /etc/kubernetes/manifests/kube-apiserver.yaml
