// Command configmap-writer creates, updates and deletes ConfigMaps through an API endpoint, one request after the
// other, until it gets SIGTERM, and prints what became of each request as a line of JSON.
//
// Tests run it beside a change of the control plane. It is net/http as client-go uses it, and repeats what client-go
// repeats (rest/with_retry.go): a request that the server answered with 429 or 5xx and Retry-After, as an API server
// does that ends, on connections it still has. So a request that fails here would have failed for a controller. Each
// attempt names its own audit ID, by which it is found in the audit logs, and is a line of its own.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type writer struct {
	client     *http.Client
	collection string
	value      string
	output     *json.Encoder
}

// maxRetries is client-go's (rest/request.go).
const maxRetries = 10

// outcome is one line of output; Status is 0 when no answer came, and Error then says why. Repeated says that the
// server asked for the same request once more, and that it is the next line.
type outcome struct {
	AuditID  string    `json:"auditID"`
	Verb     string    `json:"verb"`
	Began    time.Time `json:"began"`
	Status   int       `json:"status"`
	Error    string    `json:"error,omitempty"`
	Repeated bool      `json:"repeated,omitempty"`
}

func main() {
	server := flag.String("server", "", "address of the API, as https://10.197.0.10:6443")
	authority := flag.String("ca", "", "file with the API's certificate authority")
	certificate := flag.String("certificate", "", "file with the client certificate")
	key := flag.String("key", "", "file with its key")
	connections := flag.String("connections", "kept", "kept: one HTTP/2 connection as long as it lives, as controllers; fresh: one of HTTP/1.1 for each request, as scripts")
	prefix := flag.String("prefix", "written", "how the ConfigMaps' names begin")
	size := flag.Int("size", 0, "bytes of data in each ConfigMap")
	pause := flag.Duration("pause", 20*time.Millisecond, "time between two requests")
	flag.Parse()

	transport, err := newTransport(*authority, *certificate, *key)
	if err == nil && *connections != "kept" && *connections != "fresh" {
		err = fmt.Errorf("-connections %s: kept or fresh", *connections)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "configmap-writer:", err)
		os.Exit(2)
	}
	transport.DisableKeepAlives = *connections == "fresh"
	transport.ForceAttemptHTTP2 = *connections == "kept"
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	writer := writer{
		client:     &http.Client{Transport: transport, Timeout: 10 * time.Second},
		collection: *server + "/api/v1/namespaces/default/configmaps",
		value:      strings.Repeat("x", *size),
		output:     json.NewEncoder(os.Stdout),
	}
	for number := 0; stopped.Err() == nil; number++ {
		name := fmt.Sprintf("%s-%s-%d", *prefix, *connections, number)
		writer.write("create", http.MethodPost, "", name, "first")
		time.Sleep(*pause)
		writer.write("update", http.MethodPut, "/"+name, name, "second")
		time.Sleep(*pause)
		writer.write("delete", http.MethodDelete, "/"+name, "", "")
		time.Sleep(*pause)
	}
}

func newTransport(authority, certificate, key string) (*http.Transport, error) {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(authority + " holds no certificate")
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
	}, nil
}

// write makes one request, as often as the server asks for it, and prints each outcome; a name makes it carry a
// ConfigMap.
func (w writer) write(verb, method, path, name, data string) {
	for retries := 0; ; retries++ {
		result := outcome{AuditID: "writer-" + rand.Text(), Verb: verb, Began: time.Now().UTC()}
		status, retryAfter, err := w.request(method, path, result.AuditID, name, data)
		result.Status = status
		if err != nil {
			result.Error = err.Error()
		}
		seconds, notANumber := strconv.Atoi(retryAfter)
		asked := status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
		result.Repeated = asked && notANumber == nil && retries < maxRetries
		if err := w.output.Encode(result); err != nil {
			fmt.Fprintln(os.Stderr, "configmap-writer:", err)
			os.Exit(1)
		}
		if !result.Repeated {
			return
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// request gives the status and the Retry-After header of the answer.
func (w writer) request(method, path, auditID, name, data string) (int, string, error) {
	var body []byte
	if name != "" {
		encoded, err := json.Marshal(map[string]any{
			"apiVersion": "v1",
			"kind":       "ConfigMap",
			"metadata":   map[string]string{"name": name},
			"data":       map[string]string{"step": data, "value": w.value},
		})
		if err != nil {
			return 0, "", err
		}
		body = encoded
	}
	request, err := http.NewRequest(method, w.collection+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Audit-ID", auditID)
	response, err := w.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("status %d, and then: %w", response.StatusCode, err)
	}
	retryAfter := response.Header.Get("Retry-After")
	if response.StatusCode >= 300 {
		return response.StatusCode, retryAfter, errors.New(strings.TrimSpace(string(answer)))
	}
	return response.StatusCode, retryAfter, nil
}
