package command

import "github.com/pulumi/pulumi-go-provider/infer"

// The values of logging, which says what streams of a run are shown while it lasts; unset means both.
const (
	LogStdout          = "stdout"
	LogStderr          = "stderr"
	LogStdoutAndStderr = "stdoutAndStderr"
	LogNone            = "none"
)

// LoggingValues lists the enum for the schema.
func LoggingValues[L ~string]() []infer.EnumValue[L] {
	return []infer.EnumValue[L]{
		{Name: LogStdout, Value: LogStdout, Description: "Show stdout only."},
		{Name: LogStderr, Value: LogStderr, Description: "Show stderr only."},
		{Name: LogStdoutAndStderr, Value: LogStdoutAndStderr, Description: "Show both streams."},
		{Name: LogNone, Value: LogNone, Description: "Show nothing."},
	}
}

// Shows says whether a stream is shown while a run lasts.
func (i Inputs[L]) Shows(stream L) bool {
	return i.Logging == nil || *i.Logging == LogStdoutAndStderr || *i.Logging == stream
}
