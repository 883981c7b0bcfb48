module kubernetes-audit/lab/pause

go 1.26
