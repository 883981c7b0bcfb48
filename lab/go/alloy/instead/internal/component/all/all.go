// Package all names the components that this build of Alloy knows: those of the pipeline, and those that a snippet's
// user or an earlier configuration of the stack has beside it.
package all

import (
	_ "github.com/grafana/alloy/internal/component/local/file"
	_ "github.com/grafana/alloy/internal/component/local/file_match"
	_ "github.com/grafana/alloy/internal/component/loki/process"
	_ "github.com/grafana/alloy/internal/component/loki/source/file"
	_ "github.com/grafana/alloy/internal/component/loki/write"
	_ "github.com/grafana/alloy/internal/component/otelcol/exporter/loki"
	_ "github.com/grafana/alloy/internal/component/otelcol/receiver/filelog"
	_ "github.com/grafana/alloy/internal/component/otelcol/storage/file"
)
