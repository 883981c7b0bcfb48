package main

import (
	"testing"
	"time"
)

func TestRolloutsAreOverWhenTheNewPodsAreAvailable(t *testing.T) {
	cases := map[string]struct {
		text  string
		ready bool
	}{
		"kind without a rollout": {"{apiVersion: v1, kind: ConfigMap}", true},
		"DaemonSet not seen":     {"{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 1}}", false},
		"DaemonSet without nodes": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 1},
			status: {observedGeneration: 1, desiredNumberScheduled: 0}}`, true},
		"DaemonSet, old pod available": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2},
			status: {observedGeneration: 2, desiredNumberScheduled: 1, numberAvailable: 1}}`, false},
		"DaemonSet, new pod not available": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2},
			status: {observedGeneration: 2, desiredNumberScheduled: 1, updatedNumberScheduled: 1}}`, false},
		"DaemonSet done": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2},
			status: {observedGeneration: 2, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1}}`, true},
		"DaemonSet replaced by hand": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2},
			spec: {updateStrategy: {type: OnDelete}}}`, true},
		"Deployment without pods": {`{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 1},
			spec: {replicas: 1}, status: {observedGeneration: 1}}`, false},
		"Deployment done": {`{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 1}, spec: {replicas: 1},
			status: {observedGeneration: 1, updatedReplicas: 1, availableReplicas: 1}}`, true},
	}
	for name, each := range cases {
		if ready, reason := rolledOut(object(t, each.text)); ready != each.ready || ready == (reason != "") {
			t.Errorf("%s: got %t %q", name, ready, reason)
		}
	}
}

func TestTheLimitOfAWait(t *testing.T) {
	annotated := object(t, `{metadata: {annotations: {pulumi.com/timeoutSeconds: "7"}}}`)
	for _, each := range []struct {
		custom time.Duration
		text   string
		want   waitLimit
	}{
		{0, "{}", waitLimit(10 * time.Minute)},
		{3 * time.Second, "{}", waitLimit(3 * time.Second)},
	} {
		if got := awaitLimit(each.custom, object(t, each.text)); got != each.want {
			t.Errorf("%v: got %v", each, time.Duration(got))
		}
	}
	if got := awaitLimit(0, annotated); got != waitLimit(7*time.Second) {
		t.Errorf("annotation: got %v", time.Duration(got))
	}
	if got := awaitLimit(time.Second, annotated); got != waitLimit(time.Second) {
		t.Errorf("customTimeouts must win: got %v", time.Duration(got))
	}
}
