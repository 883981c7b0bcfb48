// Package discovery finds no other Alloy: those of the lab form no cluster.
package discovery

import (
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// DiscoverFn gives the addresses of the others.
type DiscoverFn func() ([]string, error)

// Options are how they would be found.
type Options struct {
	JoinPeers     []string
	DiscoverPeers string
	DefaultPort   int
	Logger        *slog.Logger
	Tracer        trace.TracerProvider
}

// NewPeerDiscoveryFn gives nil, which is right for one that is alone, and refuses to look for others.
func NewPeerDiscoveryFn(options Options) (DiscoverFn, error) {
	if len(options.JoinPeers) > 0 || options.DiscoverPeers != "" {
		return nil, errors.New("this build of Alloy forms no cluster")
	}
	return nil, nil
}
