package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/cli"
	"example.com/orderd/engine/sqlitedb"
)

// binary is the built program in a directory of its own.
type binary struct {
	t   *testing.T
	dir string
	env []string
}

func build(t *testing.T) *binary {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "orderd"), ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return &binary{t: t, dir: dir, env: []string{"ORDERD_DB=sqlite:" + filepath.Join(dir, "shop.db"), "HOME=" + dir, "USER=tester"}}
}

// run runs a command to its end.
func (b *binary) run(args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), filepath.Join(b.dir, "orderd"), args...)
	c.Dir, c.Env = b.dir, b.env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		b.t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// ok runs a command that succeeds and prints JSON.
func (b *binary) ok(into any, args ...string) {
	b.t.Helper()
	stdout, stderr, code := b.run(append(args, "--json")...)
	require.Equal(b.t, 0, code, "%v: %s%s", args, stdout, stderr)
	require.NoError(b.t, json.Unmarshal([]byte(stdout), into), stdout)
}

// running is a daemon in a process of its own.
type running struct {
	t    *testing.T
	c    *exec.Cmd
	url  string
	done chan string // what it logged after it was ready
}

// start runs serve or dev until it is ready.
func (b *binary) start(args ...string) *running {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), filepath.Join(b.dir, "orderd"), append(args, "--listen", "127.0.0.1:0")...)
	c.Dir, c.Env = b.dir, b.env
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	stderr, err := c.StderrPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, c.Start())
	r := &running{t: b.t, c: c, done: make(chan string, 1)}
	lines := bufio.NewReader(stderr)
	for r.url == "" {
		line, err := lines.ReadString('\n')
		require.NoError(b.t, err, line)
		var entry struct{ Msg, URL string }
		require.NoError(b.t, json.Unmarshal([]byte(line), &entry), line)
		if entry.Msg == "ready" {
			r.url = entry.URL
		}
	}
	go func() {
		rest, _ := io.ReadAll(lines)
		r.done <- string(rest)
	}()
	return r
}

func (r *running) do(key, method, path, body string) (int, map[string]any) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Idempotency-Key", unique())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	require.NoError(r.t, err)
	defer func() { _ = response.Body.Close() }()
	var got map[string]any
	_ = json.NewDecoder(response.Body).Decode(&got) // not every answer is JSON
	return response.StatusCode, got
}

// stop asks it to stop and returns its exit code and what it logged.
func (r *running) stop() (int, string) {
	r.t.Helper()
	require.NoError(r.t, r.c.Process.Signal(syscall.SIGTERM))
	select {
	case rest := <-r.done:
		_ = r.c.Wait() // the code says it
		return r.c.ProcessState.ExitCode(), rest
	case <-time.After(20 * time.Second):
		r.t.Fatal("it does not stop")
		return 0, ""
	}
}

func TestFromNothingToAnOrderAndDown(t *testing.T) {
	b := build(t)
	_, stderr, code := b.run("serve")
	require.Equal(t, cli.ExitTrouble, code)
	require.Contains(t, stderr, "orderd migrate", "the remedy is named")

	var components []map[string]any
	b.ok(&components, "migrate")
	b.ok(&components, "migrate")
	require.Len(t, components, 6)
	var key struct{ ID, Principal, Key string }
	b.ok(&key, "key", "create", "web-shop", "--role", "checkout", "--role", "viewer", "--name", "front end")

	r := b.start("serve")
	status, _ := r.do("dev", "GET", "/v1/orders", "")
	require.Equal(t, 401, status, "the key dev is for dev alone")
	status, _ = r.do(key.Key, "GET", "/dev/pay/x", "")
	require.Equal(t, 404, status)
	status, order := r.do(key.Key, "POST", "/v1/orders", twoBooks)
	require.Equal(t, 201, status, order)
	id := order["id"].(string)

	// The operator's tools work beside the running daemon.
	var got map[string]any
	b.ok(&got, "order", "get", id)
	require.Equal(t, "placed", got["state"])
	var done map[string]any
	b.ok(&done, "order", "apply", id, "cancel", "--reason", "asked by phone", "--key", "call-1")
	require.Equal(t, "applied", done["outcome"])
	b.ok(&done, "order", "apply", id, "cancel", "--reason", "asked by phone", "--key", "call-1")
	require.Equal(t, "already", done["outcome"])
	_, stderr, code = b.run("order", "apply", id, "ship")
	require.Equal(t, cli.ExitNo, code)
	require.Contains(t, stderr, "stale/passed")
	_, _, code = b.run("order", "apply", id, "ship", "--input", "{")
	require.Equal(t, cli.ExitUsage, code)
	_, _, code = b.run("order", "get", "ord_nobody")
	require.Equal(t, cli.ExitNo, code)
	var history []map[string]any
	b.ok(&history, "order", "history", id, "--attempts")
	require.GreaterOrEqual(t, len(history), 3)
	for _, line := range history {
		_, said := line["possible_from"]
		require.Equal(t, line["detail"] == "passed", said, line)
	}
	stdout, _, code := b.run("order", "why", id, "ship")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, "asked by phone")
	require.Contains(t, stdout, "stale/passed")
	require.Contains(t, stdout, "Too late: from here, the order can no longer come to where this is possible")
	var reasons map[string]any
	b.ok(&reasons, "order", "why", id, "ship")
	require.Equal(t, []any{}, reasons["events"].([]any)[0].(map[string]any)["possible_from"])

	var revoked map[string]any
	b.ok(&revoked, "key", "revoke", key.ID)
	require.Equal(t, "applied", revoked["outcome"])
	b.ok(&revoked, "key", "revoke", key.ID)
	require.Equal(t, "already", revoked["outcome"])
	require.Eventually(t, func() bool {
		status, _ := r.do(key.Key, "GET", "/v1/orders", "")
		return status == 401
	}, cacheLifeAtMost, tick)

	code, log := r.stop()
	require.Equal(t, 0, code, log)
	require.Contains(t, log, `"stopped"`)
	require.NotContains(t, log, key.Key)
}

func TestRequestsInProgressAreFinishedOnStop(t *testing.T) {
	b := build(t)
	r := b.start("dev")
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/orders", reader)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer dev")
	request.Header.Set("Idempotency-Key", "slow")
	answered := make(chan int, 1)
	transport := &http.Transport{DisableKeepAlives: true}
	go func() {
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	_, err = writer.Write([]byte(twoBooks[:10])) // the request is being read
	require.NoError(t, err)
	require.Eventually(t, func() bool { // and counted as in progress
		status, _ := r.do("dev", "GET", "/healthz", "")
		return status == 200
	}, 5*time.Second, tick)
	go func() {
		beat := time.NewTicker(tick)
		defer beat.Stop()
		for range beat.C { // the stop has begun when nobody is let in any more
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
			if err != nil {
				break
			}
			_ = c.Close()
		}
		_, _ = writer.Write([]byte(twoBooks[10:]))
		_ = writer.Close()
	}()
	code, log := r.stop()
	require.Equal(t, 0, code, log)
	require.Equal(t, 201, <-answered)
}

func TestDev(t *testing.T) {
	b := build(t)
	b.env = []string{"HOME=" + b.dir}
	_, stderr, code := b.run("dev", "--listen", "0.0.0.0:0")
	require.Equal(t, cli.ExitTrouble, code)
	require.Contains(t, stderr, "loopback")
	for n := range 2 { // demo data is put in once
		r := b.start("dev")
		status, all := r.do("dev", "GET", "/v1/orders?limit=200", "")
		require.Equal(t, 200, status)
		states := map[string]int{}
		for _, item := range all["data"].([]any) {
			states[item.(map[string]any)["state"].(string)]++
		}
		require.GreaterOrEqual(t, len(states), 4, states)
		require.Len(t, all["data"].([]any), len(demo)+n, states)
		status, fresh := r.do("dev", "POST", "/v1/orders", twoBooks)
		require.Equal(t, 201, status)
		placed := fresh["id"].(string)
		eventually(t, "the demo receiver has heard of it", func() bool {
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+receiverPath, nil)
			require.NoError(t, err)
			a, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
			require.NoError(t, err)
			page, err := io.ReadAll(a.Body)
			require.NoError(t, errors.Join(err, a.Body.Close()))
			return strings.Contains(string(page), placed)
		})
		code, log := r.stop()
		require.Equal(t, 0, code, log)
	}
	_, err := os.Stat(filepath.Join(b.dir, "orderd-dev.db"))
	require.NoError(t, err)
}

func TestToolsWithoutADatabase(t *testing.T) {
	b := build(t)
	b.env = nil
	var machines []map[string]any
	b.ok(&machines, "machine", "list")
	require.NotEmpty(t, machines)
	for format, part := range map[string]string{"svg": "<svg", "mermaid": "stateDiagram", "dot": "digraph"} {
		stdout, _, code := b.run("machine", "diagram", "order", "--format", format)
		require.Equal(t, 0, code)
		require.Contains(t, stdout, part)
	}
	stdout, _, code := b.run("machine", "lint")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, "order")
	_, stderr, code := b.run("machine", "show", "nobody")
	require.Equal(t, cli.ExitNo, code)
	require.Contains(t, stderr, "order")
	_, stderr, code = b.run("migrate")
	require.Equal(t, cli.ExitTrouble, code)
	require.Contains(t, stderr, "ORDERD_DB")
	_, stderr, code = b.run("migrate", "--db", "postgres:user:secret@host")
	require.Equal(t, cli.ExitTrouble, code)
	require.NotContains(t, stderr, "secret")
	missing := filepath.Join(b.dir, "nothing-here.db")
	for _, args := range [][]string{{"verify"}, {"doctor"}, {"order", "get", "ord_x"}, {"key", "list"}, {"machine", "check", "order"}, {"serve"}} {
		_, stderr, code := b.run(append(args, "--json=false", "--db", "sqlite:"+missing)...)
		require.Equal(t, cli.ExitTrouble, code, "%v: %s", args, stderr)
		require.Contains(t, stderr, "orderd migrate", args)
		require.NoFileExists(t, missing, args)
	}
	_, stderr, code = b.run("machine", "show", "nobody", "--json")
	require.Equal(t, cli.ExitNo, code)
	var told map[string]any
	require.NoError(t, json.Unmarshal([]byte(stderr), &told), stderr)
	require.Contains(t, told["error"], "nobody")
	require.EqualValues(t, cli.ExitNo, told["exit_code"])
	for _, args := range [][]string{{}, {"explode"}, {"order"}, {"order", "get"}, {"key", "create", "x", "--role", "root"},
		{"key", "create", "Not Allowed", "--role", "viewer"}, {"machine", "diagram", "order", "--format", "png"}} {
		_, _, code := b.run(append(args, "--db", "sqlite:"+filepath.Join(b.dir, "x.db"))...)
		require.Equal(t, cli.ExitUsage, code, args)
	}
}

func TestEveryCommandShowsAnExampleAndTheExitCodes(t *testing.T) {
	b := build(t)
	stdout, _, code := b.run("--help")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, "Exit codes")
	for _, command := range []string{
		"serve", "dev", "migrate", "doctor", "machine list", "machine show", "machine lint", "machine diagram", "machine check",
		"message list", "message retry", "message replay", "timer list", "timer retry", "webhook list", "webhook create", "webhook delete", "webhook recover",
		"webhook deliveries", "webhook redeliver", "order get", "order history", "order apply", "order why", "key create", "key list", "key revoke",
	} {
		stdout, stderr, code := b.run(append(strings.Fields(command), "--help")...)
		require.Equal(t, 0, code, stderr)
		require.Contains(t, stdout, "Example: ", command)
	}
}

func TestDoctorAndMachineCheck(t *testing.T) {
	b := build(t)
	empty := filepath.Join(b.dir, "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, _, code := b.run("doctor", "--db", "sqlite:"+empty)
	require.Equal(t, cli.ExitNo, code, "nothing is installed yet")
	b.run("migrate")
	var checks []map[string]any
	b.ok(&checks, "doctor")
	text := func(checks any) string { all, _ := json.Marshal(checks); return string(all) }
	require.Contains(t, text(checks), "synchronous")
	require.Contains(t, text(checks), "tables of orderd")
	require.Contains(t, text(checks), "tables of machines")
	planted := func(sql string) (stdout string, code int) {
		db, err := sqlitedb.Open(filepath.Join(b.dir, "shop.db"))
		require.NoError(t, err)
		require.NoError(t, db.Exec(sql).Error)
		pool, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, pool.Close())
		stdout, _, code = b.run("doctor")
		return stdout, code
	}
	stdout, code := planted("CREATE TRIGGER audit AFTER UPDATE ON orders BEGIN SELECT 1; END")
	require.Equal(t, 0, code)
	require.Regexp(t, `warning +table orders +the trigger audit`, stdout)
	stdout, code = planted("ALTER TABLE payments RENAME TO payments_old")
	require.Equal(t, cli.ExitNo, code)
	require.Regexp(t, `failure +table payments +the table does not exist`, stdout)
	_, code = planted("ALTER TABLE payments_old RENAME TO payments")
	require.Equal(t, 0, code)

	r := b.start("dev")
	code, log := r.stop()
	require.Equal(t, 0, code, log)
	var steps []map[string]any
	b.ok(&steps, "machine", "check", "order")
	require.NotEmpty(t, steps)

	var d map[string]any
	b.ok(&d, "machine", "show", "order")
	d["edges"] = d["edges"].([]any)[:1]
	file := filepath.Join(b.dir, "next.json")
	require.NoError(t, os.WriteFile(file, []byte(text(d)), 0o600))
	_, stderr, code := b.run("machine", "check", "order", file)
	require.Equal(t, cli.ExitNo, code)
	require.Contains(t, stderr, "not in the definition")
	require.NoError(t, os.WriteFile(file, []byte(`{"name":"order","x":1}`), 0o600))
	_, _, code = b.run("machine", "check", "order", file)
	require.Equal(t, cli.ExitUsage, code)
}
