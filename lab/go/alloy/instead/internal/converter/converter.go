// Package converter converts nothing: the lab's Alloy reads no other program's configuration.
package converter

import "github.com/grafana/alloy/internal/converter/diag"

// Input is the kind of a configuration.
type Input string

// SupportedFormats is empty.
var SupportedFormats []string

// Convert refuses whatever it is given.
func Convert([]byte, Input, []string) ([]byte, diag.Diagnostics) {
	var found diag.Diagnostics
	found.Add(diag.SeverityLevelCritical, "this build of Alloy converts no other configuration")
	return nil, found
}
