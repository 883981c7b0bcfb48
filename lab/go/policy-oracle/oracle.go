// Package oracle answers what the API server's own code makes of an audit policy: whether it loads, and what it decides.
//
// Every line of input is one JSON object with a policy text and requests, every line of output one with the verdict and
// the decisions. The loader is LoadPolicyFromBytes and the evaluator NewPolicyRuleEvaluator of k8s.io/apiserver, in the
// version the program was built with.
package oracle

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"
)

const longestLine = 64 << 20

type question struct {
	Policy   string    `json:"policy"`
	Requests []request `json:"requests"`
}

type request struct {
	User            *string  `json:"user"`
	Groups          []string `json:"groups"`
	Verb            string   `json:"verb"`
	ResourceRequest bool     `json:"resourceRequest"`
	APIGroup        string   `json:"apiGroup"`
	APIVersion      string   `json:"apiVersion"`
	Resource        string   `json:"resource"`
	Subresource     string   `json:"subresource"`
	Namespace       string   `json:"namespace"`
	Name            string   `json:"name"`
	Path            string   `json:"path"`
}

type answer struct {
	Accepted  bool       `json:"accepted"`
	Error     string     `json:"error,omitempty"`
	Decisions []decision `json:"decisions,omitempty"`
}

type decision struct {
	Level             string   `json:"level"`
	OmitStages        []string `json:"omitStages"`
	OmitManagedFields bool     `json:"omitManagedFields"`
}

type measurement struct {
	Evaluations      int64   `json:"evaluations"`
	ProcessorSeconds float64 `json:"processorSeconds"`
}

// Main runs the program: it answers questions until the end of its input, or, with -bench, evaluates the requests of a
// single question again and again for that long and prints how often it did.
func Main() {
	bench := flag.Duration("bench", 0, "evaluate the requests of one question for this long and print the count")
	flag.Parse()

	// The loader warns about unknown keys on every lenient load; the caller asks for verdicts only.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)

	run := answerAll
	if *bench > 0 {
		run = func(in io.Reader, out io.Writer) error { return measure(in, out, *bench) }
	}
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "policy-oracle:", err)
		os.Exit(1)
	}
}

func answerAll(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		asked, err := parse(lines.Bytes())
		if err != nil {
			return err
		}
		if err := encoder.Encode(answerOf(asked)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func measure(in io.Reader, out io.Writer, duration time.Duration) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	asked, err := parse(text)
	if err != nil {
		return err
	}
	loaded, err := policy.LoadPolicyFromBytes([]byte(asked.Policy))
	if err != nil {
		return err
	}
	evaluator := policy.NewPolicyRuleEvaluator(loaded)
	attributes := make([]authorizer.Attributes, 0, len(asked.Requests))
	for _, each := range asked.Requests {
		attributes = append(attributes, each.attributes())
	}
	var done measurement
	start, startProcessor := time.Now(), processorTime()
	for time.Since(start) < duration {
		for _, each := range attributes {
			evaluator.EvaluatePolicyRule(each)
		}
		done.Evaluations += int64(len(attributes))
	}
	done.ProcessorSeconds = (processorTime() - startProcessor).Seconds()
	return json.NewEncoder(out).Encode(done)
}

// processorTime is what this process has used of the processor, which other work on the machine changes little.
func processorTime() time.Duration {
	var usage syscall.Rusage
	// It cannot fail for the calling process.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func parse(line []byte) (question, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return asked, fmt.Errorf("cannot read the question %.200q: %w", line, err)
	}
	return asked, nil
}

func answerOf(asked question) answer {
	loaded, err := policy.LoadPolicyFromBytes([]byte(asked.Policy))
	if err != nil {
		return answer{Error: err.Error()}
	}
	evaluator := policy.NewPolicyRuleEvaluator(loaded)
	given := answer{Accepted: true}
	for _, each := range asked.Requests {
		given.Decisions = append(given.Decisions, decisionOf(evaluator.EvaluatePolicyRule(each.attributes())))
	}
	return given
}

func decisionOf(config audit.RequestAuditConfig) decision {
	stages := make([]string, 0, len(config.OmitStages))
	for _, stage := range config.OmitStages {
		stages = append(stages, string(stage))
	}
	slices.Sort(stages)
	return decision{
		Level:             string(config.Level),
		OmitStages:        slices.Compact(stages),
		OmitManagedFields: config.OmitManagedFields,
	}
}

func (r request) attributes() authorizer.Attributes {
	record := &authorizer.AttributesRecord{
		Verb:            r.Verb,
		APIGroup:        r.APIGroup,
		APIVersion:      r.APIVersion,
		Resource:        r.Resource,
		Subresource:     r.Subresource,
		Namespace:       r.Namespace,
		Name:            r.Name,
		ResourceRequest: r.ResourceRequest,
		Path:            r.Path,
	}
	if r.User != nil {
		record.User = &user.DefaultInfo{Name: *r.User, Groups: r.Groups}
	}
	return record
}
