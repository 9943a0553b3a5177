//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asRig makes the test binary run its arguments like the rig.
const asRig = "ORDERD_TEST_AS_RIG"

func TestMain(m *testing.M) {
	if os.Getenv(asRig) != "" {
		main()
	}
	os.Exit(m.Run())
}

// rig returns a command that runs a shell script in a rig of its own, without servers.
func rig(t *testing.T, script string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--", "sh", "-c", script)
	cmd.Env = append(os.Environ(), asRig+"=1", "TMPDIR="+tempDir(t))
	cmd.Stderr = t.Output()
	for _, n := range needs {
		cmd.Env = append(cmd.Env, n.env+"=given")
	}
	return cmd
}

// tempDir is t.TempDir for servers that run as another user, which that one locks out.
func tempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "rig-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

// started starts a rig whose script prints a line when it is ready. What is read after that line
// ends when the last process that descends from the rig has ended, for each holds the other end.
func started(t *testing.T, cmd *exec.Cmd) (rest io.Reader) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Minute)))
	cmd.Stdout = w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	buffered := bufio.NewReader(r)
	line, err := buffered.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return buffered
}

func filesLeft(t *testing.T, cmd *exec.Cmd) []string {
	for _, v := range cmd.Env {
		if dir, ok := strings.CutPrefix(v, "TMPDIR="); ok {
			left, err := filepath.Glob(dir + "/orderd-rig-*")
			require.NoError(t, err)
			if len(left) > 0 {
				return left
			}
		}
	}
	return nil
}

func TestTheExitCodeIsThatOfTheCommand(t *testing.T) {
	for script, code := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		cmd := rig(t, script)
		_ = cmd.Run()
		require.Equal(t, code, cmd.ProcessState.ExitCode(), script)
	}
}

func TestACommandThatIsNotThereIsAnError(t *testing.T) {
	cmd := rig(t, "")
	cmd.Args = []string{cmd.Path, "--", "/no/such/command"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "/no/such/command")
}

func TestAVariableThatIsSetIsKept(t *testing.T) {
	out, err := rig(t, "echo $ORDERD_TEST_MYSQL").Output()
	require.NoError(t, err)
	require.Equal(t, "given\n", string(out))
}

func TestNothingOutlivesTheCommand(t *testing.T) {
	// Both the child and, under a shell that has ended, the grandchild would sleep on.
	cmd := rig(t, `echo left >$TMPDIR/file; sleep 1000 & sh -c 'setsid sleep 1000 &'; echo ready`)
	rest := started(t, cmd)
	_, err := io.ReadAll(rest)
	require.NoError(t, err, "a process is left")
	require.NoError(t, cmd.Wait())
	require.Empty(t, filesLeft(t, cmd))
}

func TestASignalEndsEverything(t *testing.T) {
	for _, sig := range endings() {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := rig(t, `sh -c 'setsid sleep 1000 &'; echo ready; exec sleep 1000`)
			rest := started(t, cmd)
			require.NoError(t, cmd.Process.Signal(sig))
			_, err := io.ReadAll(rest)
			require.NoError(t, err, "a process is left")
			_ = cmd.Wait()
			require.Equal(t, 128+int(syscall.SIGTERM), cmd.ProcessState.ExitCode(), "the command was asked to end")
			require.Empty(t, filesLeft(t, cmd))
		})
	}
}

func TestWhatTheRigStartedDiesWithIt(t *testing.T) {
	cmd := rig(t, "echo ready; exec sleep 1000")
	rest := started(t, cmd)
	require.NoError(t, cmd.Process.Kill())
	_, err := io.ReadAll(rest)
	require.NoError(t, err, "a process is left")
	_ = cmd.Wait()
}

func TestTheRigEndsWithItsParent(t *testing.T) {
	inner := rig(t, "echo ready; exec sleep 1000")
	// The shell stays, because it has something left to do.
	parent := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `"$@"; true`, "sh"}, inner.Args...)...)
	parent.Env = inner.Env
	rest := started(t, parent)
	require.NoError(t, parent.Process.Kill())
	_, err := io.ReadAll(rest)
	require.NoError(t, err, "a process is left")
	_ = parent.Wait()
	require.Empty(t, filesLeft(t, parent))
}

func TestMariaDBGreetsWhenItIsStarted(t *testing.T) {
	if _, err := find("mariadbd", ""); err != nil {
		t.Skip("MariaDB is not installed")
	}
	greetsWhenStarted(t, "ORDERD_TEST_MYSQL")
}

func TestMySQL56GreetsWhenItIsStarted(t *testing.T) {
	t.Chdir("../..") // where the rig is run
	if _, err := os.Stat(mysql56); err != nil {
		t.Skip("MySQL 5.6 has not been fetched")
	}
	greetsWhenStarted(t, "ORDERD_TEST_MYSQL56")
}

// greetsWhenStarted holds that a server greets while the rig runs, and is gone afterwards.
func greetsWhenStarted(t *testing.T, env string) {
	cmd := rig(t, `echo ready; echo "$`+env+`"; cat`)
	cmd.Env = append(cmd.Env, env+"=")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	rest := bufio.NewReader(started(t, cmd))
	dsn, err := rest.ReadString('\n')
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(dsn), "root@tcp(")
	require.True(t, ok, dsn)
	addr = strings.TrimSuffix(addr, ")/")
	require.NoError(t, greets(addr))

	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait())
	require.ErrorIs(t, greets(addr), syscall.ECONNREFUSED)
}

func TestWhatHasNotBeenFetchedIsNamedAndTheCommandRunsWithout(t *testing.T) {
	t.Chdir(t.TempDir())
	cmd := rig(t, `echo "it is ${ORDERD_TEST_MYSQL56:-not set}"`)
	cmd.Env = append(cmd.Env, "ORDERD_TEST_MYSQL56=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "it is not set\n", string(out))
	require.Contains(t, stderr.String(), "ORDERD_TEST_MYSQL56")
	require.Contains(t, stderr.String(), "make .cache/mysql56")
}

func TestAClusterIsProvidedOnlyWhenItIsNamed(t *testing.T) {
	all, err := choose("")
	require.NoError(t, err)
	require.NotContains(t, names(all), "ORDERD_TEST_GALERA")
	require.Len(t, all, len(needs)-1)

	some, err := choose("ORDERD_TEST_GALERA,ORDERD_TEST_REDIS")
	require.NoError(t, err)
	require.Equal(t, []string{"ORDERD_TEST_REDIS", "ORDERD_TEST_GALERA"}, names(some), "in the order of starting")

	_, err = choose("ORDERD_TEST_REDIS,ORDERD_TEST_ORACLE")
	require.ErrorContains(t, err, "nothing provides ORDERD_TEST_ORACLE")
}

func names(of []need) (all []string) {
	for _, n := range of {
		all = append(all, n.env)
	}
	return all
}

func TestNothingIsStartedWhenTheRigEnds(t *testing.T) {
	stopping.Store(true)
	defer stopping.Store(false)
	_, err := spawn(exec.CommandContext(t.Context(), "true"))
	require.ErrorIs(t, err, errStopping)
}

func TestPortsOfServersThatComeBackAreNoneThatTheKernelHandsOut(t *testing.T) {
	ports, err := steadyPorts(16)
	require.NoError(t, err)
	require.Len(t, ports, 16)
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	var low int
	_, err = fmt.Sscan(string(text), &low)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, p := range ports {
		require.Less(t, p, low)
		require.False(t, seen[p], "port %d twice", p)
		seen[p] = true
	}
}

func TestANodeTellsWhereItsFilesAre(t *testing.T) {
	const uuid = "11248705-e8aa-11f1-a653-1704116b300d"
	for line, want := range map[string]string{
		"2026-11-25  8:28:02 0 [Note] WSREP: Recovered position: " + uuid + ":17": uuid + ":17",
		"WSREP: Recovered position: " + uuid + ":17,0-1-5":                        uuid + ":17",
		"WSREP: Recovered position: " + uuid + ":-1":                              uuid + ":-1",
	} {
		require.Equal(t, want, string(positions.FindSubmatch([]byte(line))[1]))
	}
	require.Nil(t, positions.FindSubmatch([]byte("WSREP: Recovered nothing")))
}

func TestAServerThatEndsIsNotAwaited(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "false")
	ended := make(chan error, 1)
	ended <- cmd.Run()
	err := await(context.Background(), ended, func() error { return io.EOF })
	require.ErrorContains(t, err, "exit status 1")
	require.ErrorIs(t, err, io.EOF)
}

func TestAMissingProgramIsNamedWithItsPackage(t *testing.T) {
	_, err := find("no-such-program", "no-such-package")
	require.ErrorContains(t, err, "no-such-program")
	require.ErrorContains(t, err, "no-such-package")
}
