package main

import (
	"context"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// log is where messages for the user go.
type log interface {
	// Message stays in the output of the run.
	Message(severity diag.Severity, urn resource.URN, text string)
	// Status is shown beside the resource while it is worked on, and then gone.
	Status(urn resource.URN, text string)
}

// kubernetesProvider answers the engine's calls for the resources of one cluster.
type kubernetesProvider struct {
	pulumirpc.UnimplementedResourceProviderServer

	log     log
	options options
	cluster *cluster

	// running ends when the engine cancels the operation.
	running context.Context
	cancel  context.CancelFunc

	// retryDelay is the wait before the first of a Create's retries; each later one is twice as long.
	retryDelay time.Duration
}

func newKubernetesProvider(log log) *kubernetesProvider {
	running, cancel := context.WithCancel(context.Background())
	return &kubernetesProvider{log: log, running: running, cancel: cancel, retryDelay: time.Second}
}

// GetPluginInfo names the version of the official plugin that this one stands in for.
func (p *kubernetesProvider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// Cancel aborts the operations that are under way.
func (p *kubernetesProvider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.cancel()
	return &emptypb.Empty{}, nil
}

// engineLog sends messages to the engine, which shows them on the resource.
type engineLog struct{ host *provider.HostClient }

// A message that cannot be delivered is dropped: the operation it speaks of must go on.
func (l engineLog) Message(severity diag.Severity, urn resource.URN, text string) {
	if l.host != nil {
		_ = l.host.Log(context.Background(), severity, urn, text)
	}
}

func (l engineLog) Status(urn resource.URN, text string) {
	if l.host != nil {
		_ = l.host.LogStatus(context.Background(), diag.Info, urn, text)
	}
}
