// Package flowcmd is the way into Alloy's command line, without the integrations of the former Grafana Agent.
package flowcmd

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/grafana/alloy/internal/alloycli"
	"github.com/grafana/alloy/internal/build"
)

func init() {
	prometheus.MustRegister(build.NewCollector("alloy"))
}

// RootCommand has every command of Alloy.
func RootCommand() *cobra.Command {
	return alloycli.Command()
}
