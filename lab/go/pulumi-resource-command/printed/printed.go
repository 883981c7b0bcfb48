// Package printed keeps what a run of a command prints, as the resources of the official provider do.
package printed

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Output takes both streams of one run. Stdout and Stderr are where it writes.
type Output struct {
	Stdout, Stderr io.Writer

	stdout, stderr bytes.Buffer
	both           lockedBuffer
	log            *lineLog
}

// Start makes an Output that also hands each line of the logged streams to log.
func Start(log func(line string), stdoutIsLogged, stderrIsLogged bool) *Output {
	output := &Output{log: startLineLog(log)}
	output.Stdout = output.tee(&output.stdout, stdoutIsLogged)
	output.Stderr = output.tee(&output.stderr, stderrIsLogged)
	return output
}

func (o *Output) tee(stream *bytes.Buffer, isLogged bool) io.Writer {
	if isLogged {
		return io.MultiWriter(stream, &o.both, o.log)
	}
	return io.MultiWriter(stream, &o.both)
}

// Streams waits until the last line has been logged and gives each stream without its last line break.
func (o *Output) Streams() (stdout, stderr string) {
	o.log.finish()
	return strings.TrimSuffix(o.stdout.String(), "\n"), strings.TrimSuffix(o.stderr.String(), "\n")
}

// Failure is the error of a command that failed: its text and its whole output are in the message.
func (o *Output) Failure(err error, command string) error {
	return fmt.Errorf("%w: running %q:\n%s", err, command, o.both.String())
}

// lockedBuffer takes both streams of a run, which arrive on goroutines of their own.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// lineLog hands what is written to it to a logger, one line at a time. Writing fails after a line of more
// than bufio.MaxScanTokenSize bytes: the official provider stops reading there and the run never ends, so
// that a program must not print such a line; failing says so at once.
type lineLog struct {
	*io.PipeWriter
	done chan struct{}
}

func startLineLog(log func(line string)) *lineLog {
	reader, writer := io.Pipe()
	started := &lineLog{PipeWriter: writer, done: make(chan struct{})}
	go func() {
		defer close(started.done)
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			log(lines.Text())
		}
		reader.CloseWithError(lines.Err())
	}()
	return started
}

// finish waits until the last line has been logged.
func (l *lineLog) finish() {
	l.Close()
	<-l.done
}
