package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/verify"
)

// daemon is a running orderd.
type daemon struct {
	url     string
	key     string
	site    *site
	client  *http.Client
	process *exec.Cmd
	errors  *tail
}

// Bounds of a daemon's start and stop.
const (
	startMax = 30 * time.Second
	stopMax  = 30 * time.Second
)

// startDaemon runs the program on a database of its own.
func (r *run) startDaemon(ctx context.Context) (*daemon, error) {
	s, err := r.scratch(ctx)
	if err != nil {
		return nil, err
	}
	r.sites = r.sites[:len(r.sites)-1] // other machines: verified when it stops
	env := append(os.Environ(), "ORDERD_DB="+s.setting)
	orderd := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(ctx, r.Program, args...)
		c.Env = env
		return c
	}
	if out, err := orderd("migrate").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("orderd migrate: %w: %s", err, out)
	}
	made, err := orderd("key", "create", "bench", "--role", "operator", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("orderd key create: %w", err)
	}
	var key struct{ Key string }
	if err := json.Unmarshal(made, &key); err != nil {
		return nil, fmt.Errorf("orderd key create: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d := &daemon{
		url: "http://" + address, key: key.Key, site: s, process: orderd("serve", "--listen", address), errors: &tail{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callersMax, DisableCompression: true}},
	}
	d.process.Stderr = d.errors
	d.process.Cancel = func() error { return d.process.Process.Signal(syscall.SIGTERM) }
	d.process.WaitDelay = stopMax
	if err := d.process.Start(); err != nil {
		return nil, fmt.Errorf("orderd serve: %w", err)
	}
	r.atEnd(d.end)
	return d, d.ready(ctx)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until the daemon answers.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := d.call(ctx, http.MethodGet, "/readyz", "", nil, nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("orderd serve does not answer: %w: %s", ctx.Err(), d.errors)
		case <-again.C:
		}
	}
}

// stop ends the daemon and verifies what it has done.
func (d *daemon) stop(ctx context.Context, r *run) error {
	if err := d.end(); err != nil {
		return err
	}
	found, err := verify.Run(ctx, d.site.gorm, verify.Options{Machines: database.Machines(), Extra: database.Checks(),
		MaxFindings: 10})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	r.report.Verify.add(found)
	return nil
}

// end stops the process, once.
func (d *daemon) end() error {
	if d.process == nil {
		return nil
	}
	_ = d.process.Process.Signal(syscall.SIGTERM)
	err := d.process.Wait()
	d.process = nil
	d.client.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("orderd serve: %w: %s", err, d.errors)
	}
	return nil
}

// call makes one request and reads its answer to the end.
func (d *daemon) call(ctx context.Context, method, path, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, method, d.url+path, body)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+d.key)
	if in != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	a, err := d.client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		return err
	}
	if a.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, a.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// tail keeps the end of what a process writes.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailMax = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailMax):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
