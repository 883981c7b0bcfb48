// Alloy as the lab builds it: the commands of Grafana Alloy with the components that audit logging uses.
package main

import (
	"os"

	"github.com/grafana/alloy/flowcmd"
)

func main() {
	if err := flowcmd.RootCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
