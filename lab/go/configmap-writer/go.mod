module kubernetes-audit/lab/configmap-writer

go 1.26
