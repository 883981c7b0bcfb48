# The released version has turned audit logging on; somebody then added a rule to the policy, and nothing was restarted.
sed -i -e 's/^rules:$/&\n- level: None\n  users: ["ops"]/' /etc/kubernetes/audit-policy.yaml
