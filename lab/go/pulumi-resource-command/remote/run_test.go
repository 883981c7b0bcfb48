package remote

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"kubernetes-audit/lab/pulumi-resource-command/command"
)

// target is a started server and a state that reaches it with everything set by hand.
type target struct {
	server *sshServer
	state  CommandOutputs
}

func newTarget(t *testing.T, configure func(*sshServer)) target {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "")
	client, host := newKeyPair(t), newKeyPair(t)
	server := newServer(t, host.signer, "operator", client.signer.PublicKey())
	if configure != nil {
		configure(server)
	}
	server.start(t)
	return target{server: server, state: CommandOutputs{CommandInputs: CommandInputs{Connection: Connection{
		Endpoint: Endpoint{
			Host:           "127.0.0.1",
			Port:           server.port(),
			User:           pointerTo("operator"),
			PrivateKey:     &client.private,
			HostKey:        &host.authorized,
			DialErrorLimit: pointerTo(0),
		},
	}}}}
}

func answering(stdout, stderr string, status int) func(*sshServer) {
	return func(server *sshServer) {
		server.answer = func(execution) (string, string, int) { return stdout, stderr, status }
	}
}

func (g target) mustRun(t *testing.T, text string) command.Output {
	t.Helper()
	output, err := g.state.Run(context.Background(), &text)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// logged is one message for the user.
type logged struct {
	level   slog.Level
	status  bool
	message string
}

// logRecorder collects what provider.Logger hands to slog where no engine is attached.
type logRecorder struct {
	mutex    *sync.Mutex
	messages *[]logged
	status   bool
}

func recordLog(t *testing.T) func() []logged {
	t.Helper()
	recorder := logRecorder{mutex: &sync.Mutex{}, messages: &[]logged{}}
	previous := slog.Default()
	slog.SetDefault(slog.New(recorder))
	t.Cleanup(func() { slog.SetDefault(previous) })
	return func() []logged {
		recorder.mutex.Lock()
		defer recorder.mutex.Unlock()
		return slices.Clone(*recorder.messages)
	}
}

func (logRecorder) Enabled(context.Context, slog.Level) bool { return true }
func (r logRecorder) WithGroup(string) slog.Handler          { return r }

func (r logRecorder) WithAttrs(attributes []slog.Attr) slog.Handler {
	for _, attribute := range attributes {
		if attribute.Key == "kind" && attribute.Value.String() == "status" {
			r.status = true
		}
	}
	return r
}

func (r logRecorder) Handle(_ context.Context, record slog.Record) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	*r.messages = append(*r.messages, logged{record.Level, r.status, record.Message})
	return nil
}

func TestRunTrimsOneTrailingLineBreakOfEachStream(t *testing.T) {
	g := newTarget(t, answering("a\nb\n\n", "warned\n", 0))
	if got, want := g.mustRun(t, "true"), (command.Output{Stdout: "a\nb\n", Stderr: "warned"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunSendsCommandAndStdinUnchanged(t *testing.T) {
	for name, stdin := range map[string]*string{
		"text": pointerTo("a: 1\nb: 'two'\n"), "empty": pointerTo(""), "unset": nil,
	} {
		t.Run(name, func(t *testing.T) {
			g := newTarget(t, nil)
			g.state.Stdin = stdin
			command := "set -eu\ncat > \"$HOME/x y\""
			g.mustRun(t, command)
			seen := g.server.seen()
			if len(seen) != 1 || seen[0].command != command || seen[0].stdin != valueOr(stdin, "") {
				t.Errorf("the server saw %q", seen)
			}
		})
	}
}

func TestFailingCommandIsAnErrorWithItsTextAndBothStreams(t *testing.T) {
	g := newTarget(t, answering("partial\n", "why\n", 3))
	_, err := g.state.Run(context.Background(), pointerTo(`echo "half"; exit 3`))
	if err == nil {
		t.Fatal("no error")
	}
	head := "Process exited with status 3: running \"echo \\\"half\\\"; exit 3\":\n"
	if !strings.HasPrefix(err.Error(), head) {
		t.Errorf("got %q, want it to begin with %q", err, head)
	}
	printed := strings.TrimPrefix(err.Error(), head)
	if printed != "partial\nwhy\n" && printed != "why\npartial\n" {
		t.Errorf("got output %q", printed)
	}
}

func TestAcceptedVariablesReachTheCommand(t *testing.T) {
	g := newTarget(t, func(server *sshServer) {
		server.acceptEnv = []string{"A", "B", command.PreviousStdout, command.PreviousStderr}
	})
	g.state.Environment = map[string]string{"A": "1", "B": "x y"}
	g.state.Output = command.Output{Stdout: "before", Stderr: ""}
	g.mustRun(t, "env")
	want := map[string]string{"A": "1", "B": "x y", command.PreviousStdout: "before"}
	if got := g.server.seen()[0].environment; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusedEnvironmentVariableIsAnErrorAndNothingRuns(t *testing.T) {
	log := recordLog(t)
	g := newTarget(t, func(server *sshServer) { server.acceptEnv = []string{"LANG"} })
	g.state.Environment = map[string]string{"LANG": "C", "POLICY": "x"}
	_, err := g.state.Run(context.Background(), pointerTo("env"))
	if err == nil || err.Error() != `could not set environment variable "POLICY": ssh: setenv failed` {
		t.Errorf("got %v", err)
	}
	if seen := g.server.seen(); len(seen) != 0 {
		t.Errorf("ran %q", seen)
	}
	if got := log(); len(got) != 1 || got[0].level != slog.LevelError || !strings.Contains(got[0].message, "POLICY") {
		t.Errorf("logged %+v", got)
	}
}

func TestRefusedPreviousOutputIsAWarning(t *testing.T) {
	log := recordLog(t)
	g := newTarget(t, nil)
	g.state.Output = command.Output{Stdout: "before", Stderr: "warned"}
	g.mustRun(t, "true")
	var warned []string
	for _, entry := range log() {
		if entry.level == slog.LevelWarn && !entry.status {
			warned = append(warned, entry.message)
		}
	}
	if len(warned) != 2 || !strings.Contains(warned[0], command.PreviousStdout) || !strings.Contains(warned[1], command.PreviousStderr) {
		t.Errorf("warned %q", warned)
	}
}

func TestPreviousOutputIsNotSentWhenSwitchedOff(t *testing.T) {
	log := recordLog(t)
	g := newTarget(t, func(server *sshServer) { server.acceptEnv = []string{command.PreviousStdout} })
	g.state.Output = command.Output{Stdout: "before"}
	g.state.AddPreviousOutputInEnv = pointerTo(false)
	g.mustRun(t, "env")
	if got := g.server.seen()[0].environment; len(got) != 0 {
		t.Errorf("sent %v", got)
	}
	if got := log(); len(got) != 0 {
		t.Errorf("logged %+v", got)
	}
}

func TestLoggingChoosesTheStreamsThatAreShown(t *testing.T) {
	for name, test := range map[string]struct {
		logging *Logging
		want    []string
	}{
		"unset":           {nil, []string{"err 1", "out 1", "out 2"}},
		"stdoutAndStderr": {pointerTo(Logging(command.LogStdoutAndStderr)), []string{"err 1", "out 1", "out 2"}},
		"stdout":          {pointerTo(Logging(command.LogStdout)), []string{"out 1", "out 2"}},
		"stderr":          {pointerTo(Logging(command.LogStderr)), []string{"err 1"}},
		"none":            {pointerTo(Logging(command.LogNone)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			log := recordLog(t)
			g := newTarget(t, answering("out 1\nout 2\n", "err 1\n", 0))
			g.state.Logging = test.logging
			if got, want := g.mustRun(t, "true"), (command.Output{Stdout: "out 1\nout 2", Stderr: "err 1"}); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			var shown []string
			for _, entry := range log() {
				if entry.level != slog.LevelInfo || !entry.status {
					t.Errorf("%+v is no info status", entry)
				}
				shown = append(shown, entry.message)
			}
			slices.Sort(shown)
			if !slices.Equal(shown, test.want) {
				t.Errorf("shown %q, want %q", shown, test.want)
			}
		})
	}
}

func TestLoggedLineBeyondTheScannersLimitFailsTheRun(t *testing.T) {
	line := strings.Repeat("x", bufio.MaxScanTokenSize+1) + "\n"
	g := newTarget(t, answering(line, "", 0))
	if _, err := g.state.Run(context.Background(), pointerTo("dump")); err == nil ||
		!strings.HasPrefix(err.Error(), bufio.ErrTooLong.Error()) {
		t.Errorf("got %.80v", err)
	}
	g.state.Logging = pointerTo(Logging(command.LogNone))
	if got := g.mustRun(t, "dump"); got.Stdout+"\n" != line {
		t.Errorf("got %d characters", len(got.Stdout))
	}
}

func TestConnectionStaysOpenAfterTheRun(t *testing.T) {
	g := newTarget(t, nil)
	g.mustRun(t, "true")
	g.mustRun(t, "true")
	g.server.mutex.Lock()
	defer g.server.mutex.Unlock()
	if g.server.open != 2 {
		t.Errorf("%d connections are open", g.server.open)
	}
}
