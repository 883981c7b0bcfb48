// Package remote is the resource command:remote:Command: a command run over SSH when the resource is
// created, updated or deleted. Token, secrets and the defaults of a connection are those of the official
// provider 1.2.1, because the program's SDK and the stack's state depend on them.
package remote

import (
	"github.com/pulumi/pulumi-go-provider/infer"

	"kubernetes-audit/lab/pulumi-resource-command/command"
)

// Command controls the resource.
type Command struct {
	command.Resource[CommandInputs, CommandOutputs]
}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
	_ infer.Enum[Logging]                                 = Logging("")
)

// CommandInputs is what a program may set.
type CommandInputs struct {
	command.Inputs[Logging]
	Connection Connection `pulumi:"connection" provider:"secret"`
}

// CommandOutputs is the state of the resource: its inputs and what the last run printed.
type CommandOutputs struct {
	CommandInputs
	command.Output
}

// With is the state that has these instead.
func (CommandOutputs) With(inputs CommandInputs, output command.Output) CommandOutputs {
	return CommandOutputs{inputs, output}
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

// Values lists the enum for the schema.
func (Logging) Values() []infer.EnumValue[Logging] { return command.LoggingValues[Logging]() }

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(c, "A command run on a remote host over SSH.")
}

// Annotate describes the inputs in the schema.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	i.Describe(a)
	a.Describe(&i.Connection, "How to reach the host.")
	a.Describe(&i.Delete, "Run when the resource is deleted, with the connection, stdin and environment of the state.")
	a.Describe(&i.Environment, "Variables sent before the run. A server that refuses one (AcceptEnv) fails the run.")
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
