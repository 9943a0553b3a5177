package doctest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// step is a part of the walk: lines of a shell, and what the README says they print.
type step struct {
	line   int // of the first expectation, among those of all blocks
	script string
	want   string // parts of the output, in order, with … between them
}

// steps takes the README's shell blocks apart. A line that begins with "# " is an expectation of what
// comes before it.
func steps(text string) []step {
	var all []step
	var script, want strings.Builder
	line := 0
	end := func() {
		if want.Len() > 0 {
			all = append(all, step{line: line, script: script.String(), want: want.String()})
			script.Reset()
			want.Reset()
		}
	}
	for _, block := range blocks(text, "sh") {
		for l := range strings.Lines(block) {
			line++
			if said, ok := strings.CutPrefix(l, "# "); ok {
				want.WriteString("…" + strings.TrimSpace(said))
				continue
			}
			end()
			script.WriteString(l)
		}
		end()
	}
	return all
}

const mark = "==== end of a step ===="

func TestTheWalkAnswersAsTheReadmeSays(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the walk needs %s", tool)
		}
	}
	walk := steps(read(t, "README.md"))
	require.Greater(t, len(walk), 15)
	var script strings.Builder
	for _, s := range walk {
		fmt.Fprintf(&script, "%secho '%s'\n", s.script, mark)
	}
	url := startDev(t)
	for _, time := range []string{"first", "second"} { // what a walk leaves behind must not stop the next
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", script.String())
		cmd.Env = append(os.Environ(), "ORDERD="+url, "RUN="+time)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		said := strings.Split(string(out), mark+"\n")
		require.Len(t, said, len(walk)+1, string(out))
		for i, s := range walk {
			rest := said[i]
			for part := range strings.SplitSeq(s.want, "…") {
				_, after, found := strings.Cut(rest, part)
				require.True(t, found, "%s walk, line %d of its blocks: want %s\nin %s\nafter %s", time, s.line, part, said[i], s.script)
				rest = after
			}
		}
	}
}

// startDev runs a freshly built orderd dev on a free port until the test ends, and returns its address.
func startDev(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	binary := filepath.Join(folder, "orderd")
	goRun(t, top, "build", "-trimpath", "-o", binary, "./cmd/orderd")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "dev", "--listen", "127.0.0.1:0")
	cmd.Dir = folder
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "ORDERD_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	drained := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-drained
		_ = cmd.Wait() // was killed
	})
	lines := bufio.NewScanner(log)
	late := time.AfterFunc(time.Minute, cancel)
	defer late.Stop()
	address := regexp.MustCompile(`"url":"(http://[^"]+)"`)
	for lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, log)
			}()
			return m[1]
		}
	}
	close(drained)
	t.Fatal("orderd dev did not say that it is ready")
	return ""
}
