package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	skipAwaitAnnotation = "pulumi.com/skipAwait"
	timeoutAnnotation   = "pulumi.com/timeoutSeconds"

	defaultAwait = 10 * time.Minute
	pollInterval = 250 * time.Millisecond
)

type waitLimit time.Duration

func seconds(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }

// awaitLimit is how long to wait: the resource's customTimeouts, else its annotation, else ten minutes.
func awaitLimit(custom time.Duration, inputs *unstructured.Unstructured) waitLimit {
	if custom > 0 {
		return waitLimit(custom)
	}
	if count, err := strconv.Atoi(annotation(inputs, timeoutAnnotation)); err == nil && count > 0 {
		return waitLimit(time.Duration(count) * time.Second)
	}
	return waitLimit(defaultAwait)
}

// poll asks until it is answered yes, at least once. Its error holds the last reason why not.
func (p *kubernetesProvider) poll(limit waitLimit, ask func() (done bool, reason string, err error)) error {
	deadline := time.Now().Add(time.Duration(limit))
	for {
		done, reason, err := ask()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out after %s: %s", time.Duration(limit), reason)
		}
		select {
		case <-p.running.Done():
			return fmt.Errorf("cancelled: %s", reason)
		case <-time.After(pollInterval):
		}
	}
}

// awaitRollout returns the object when its controller has brought about what it asks for, and with an error the object
// as it is when the wait is over. Kinds without a rollout are ready at once, even where the provider may write them but
// not read them.
func (p *kubernetesProvider) awaitRollout(
	urn resource.URN, written, inputs *unstructured.Unstructured, custom time.Duration,
) (*unstructured.Unstructured, error) {
	client, err := p.cluster.client(written)
	if err != nil {
		return written, err
	}
	last := written
	skip := annotation(inputs, skipAwaitAnnotation) == "true" || isPatch(urn)
	err = p.poll(awaitLimit(custom, inputs), func() (bool, string, error) {
		live, err := client.Get(p.running, written.GetName(), metav1.GetOptions{})
		if err == nil {
			last = live
		}
		ready, reason := rolledOut(last)
		if ready || skip {
			return true, "", nil
		}
		p.log.Status(urn, reason)
		return false, reason, err
	})
	p.log.Status(urn, "")
	if err != nil {
		err = fmt.Errorf("%s %q did not become ready: %w", written.GetKind(), objectID(written), err)
	}
	return last, err
}

// rolledOut tells whether the pods of a DaemonSet or Deployment are those that it now asks for, and available.
func rolledOut(object *unstructured.Unstructured) (ready bool, reason string) {
	status := func(field string) int64 {
		count, _, _ := unstructured.NestedInt64(object.Object, "status", field)
		return count
	}
	var wanted, updated, available int64
	switch object.GroupVersionKind().GroupKind().String() {
	case "DaemonSet.apps":
		strategy, _, _ := unstructured.NestedString(object.Object, "spec", "updateStrategy", "type")
		if strategy == "OnDelete" {
			return true, ""
		}
		wanted = status("desiredNumberScheduled")
		updated, available = status("updatedNumberScheduled"), status("numberAvailable")
	case "Deployment.apps":
		wanted, _, _ = unstructured.NestedInt64(object.Object, "spec", "replicas")
		updated, available = status("updatedReplicas"), status("availableReplicas")
	default:
		return true, ""
	}
	if status("observedGeneration") < object.GetGeneration() {
		return false, "its controller has not seen it yet"
	}
	if updated < wanted || available < wanted {
		return false, fmt.Sprintf("of %d pods %d are updated and %d available", wanted, updated, available)
	}
	return true, ""
}

// initFailed records the object in the state and fails the operation all the same: the engine tries again next time.
func initFailed(id string, cause error, outputs *structpb.Struct) error {
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, cause.Error()), &pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: outputs, Reasons: []string{cause.Error()},
	})
}
