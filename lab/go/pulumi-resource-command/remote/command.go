// Package remote is the resource command:remote:Command: a command run over SSH when the resource is
// created, updated or deleted. Token, property names, defaults and secrets are those of the official
// provider 1.2.1, because the program's SDK and the stack's state depend on them.
package remote

import "github.com/pulumi/pulumi-go-provider/infer"

// Command controls the resource. It has no Check, Diff or Read of its own: the official provider has
// none either, so what pulumi-go-provider does by default is the behaviour to reproduce.
type Command struct{}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
	_ infer.Enum[Logging]                                 = Logging("")
)

// CommandInputs is what a program may set. Every change is an update, but one of triggers, which the
// SDK turns into a replacement.
type CommandInputs struct {
	Connection             Connection        `pulumi:"connection" provider:"secret"`
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
}

// CommandOutputs is the state of the resource: its inputs and what the last run printed.
type CommandOutputs struct {
	CommandInputs
	Output
}

// Output is what a run printed, each stream without its last line break.
type Output struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Connection says how to reach the host, directly or through a bastion.
type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// ProxyConnection says how to reach the bastion.
type ProxyConnection struct {
	Endpoint
}

// Endpoint is one SSH server and the credentials for it.
type Endpoint struct {
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional" provider:"secret"`
	PrivateKey         *string  `pulumi:"privateKey,optional" provider:"secret"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional" provider:"secret"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
}

// Logging says which streams of a run are shown while it lasts.
type Logging string

// The values of Logging; unset means LogStdoutAndStderr.
const (
	LogStdout          Logging = "stdout"
	LogStderr          Logging = "stderr"
	LogStdoutAndStderr Logging = "stdoutAndStderr"
	LogNone            Logging = "none"
)

// Values lists the enum for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(LogStdout), Value: LogStdout, Description: "Show stdout only."},
		{Name: string(LogStderr), Value: LogStderr, Description: "Show stderr only."},
		{Name: string(LogStdoutAndStderr), Value: LogStdoutAndStderr, Description: "Show both streams."},
		{Name: string(LogNone), Value: LogNone, Description: "Show nothing."},
	}
}

func (l *Logging) includesStdout() bool {
	return l == nil || *l == LogStdout || *l == LogStdoutAndStderr
}

func (l *Logging) includesStderr() bool {
	return l == nil || *l == LogStderr || *l == LogStdoutAndStderr
}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(c, "A command run on a remote host over SSH.")
}

// Annotate describes the inputs in the schema.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to reach the host.")
	a.Describe(&i.Create, "Run when the resource is created, and on an update when update is not set.")
	a.Describe(&i.Update, "Run when any input but triggers has changed.")
	a.Describe(&i.Delete, "Run when the resource is deleted, with the connection, stdin and environment of the state.")
	a.Describe(&i.Stdin, "Standard input of every run.")
	a.Describe(&i.Environment, "Variables sent before the run. A server that refuses one (AcceptEnv) fails the run.")
	a.Describe(&i.Triggers, "Values whose change replaces the resource.")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Send the output of the previous run as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Defaults to true.")
	a.Describe(&i.Logging, "Which streams are shown during a run. Defaults to both.")
}

// Annotate describes the outputs in the schema.
func (o *Output) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the last run wrote to stdout.")
	a.Describe(&o.Stderr, "What the last run wrote to stderr.")
}

// Annotate describes the connection in the schema and sets its defaults.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(c, "How to reach a host.")
	a.Describe(&c.Proxy, "The bastion to go through.")
	c.annotate(a)
}

// Annotate describes the bastion in the schema and sets its defaults.
func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.Describe(c, "How to reach a bastion.")
	c.annotate(a)
}

func (e *Endpoint) annotate(a infer.Annotator) {
	a.Describe(&e.Host, "Name or address.")
	a.Describe(&e.Port, "Port of the SSH server.")
	a.SetDefault(&e.Port, 22)
	a.Describe(&e.User, "User to log in as.")
	a.SetDefault(&e.User, "root")
	a.Describe(&e.Password, "Password, also the answer to every keyboard-interactive question.")
	a.Describe(&e.PrivateKey, "Private key, offered before the password.")
	a.Describe(&e.PrivateKeyPassword, "Passphrase of the private key.")
	a.Describe(&e.AgentSocketPath, "Socket of an SSH agent. Defaults to SSH_AUTH_SOCK of the provider's environment.")
	a.Describe(&e.HostKey, "The server's public key, in the format of authorized_keys. Any key is accepted when unset.")
	a.Describe(&e.DialErrorLimit, "Failed dials to accept before giving up; -1 means without end.")
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&e.PerDialTimeout, "Seconds for one dial; 0 means no limit.")
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
}
