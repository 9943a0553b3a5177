//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// adoptOrphans makes the rig end when its parent does, and the parent of every descendant whose own
// parent ends, so that killChildren misses none.
func adoptOrphans() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER, which package syscall lacks
	for option, value := range map[uintptr]uintptr{
		syscall.PR_SET_PDEATHSIG: uintptr(syscall.SIGTERM),
		setChildSubreaper:        1,
	} {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, option, value, 0); errno != 0 {
			return fmt.Errorf("prctl %d: %w", option, errno)
		}
	}
	return nil
}

// spawn starts a command that dies with the rig, and returns where its end will be told.
func spawn(cmd *exec.Cmd) (ended <-chan error, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	starting.Lock()
	defer starting.Unlock()
	if stopping.Load() {
		return nil, errStopping
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	told := make(chan error, 1)
	go func() { told <- cmd.Wait() }()
	return told, nil
}

// stopping is true when servers may end. From then on nothing is started.
var (
	stopping    atomic.Bool
	starting    sync.Mutex
	errStopping = errors.New("the rig ends")
)

// killChildren ends every process that descends from the rig and returns when none is left. Killing
// is not rude here: what a server would still save is deleted anyway.
func killChildren() {
	starting.Lock()
	stopping.Store(true)
	starting.Unlock()
	for {
		pids := children()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails if it has just ended
			for {
				// Somebody else may be waiting for it, too; what counts is that it is gone.
				if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
					break
				}
			}
		}
	}
}

// children returns the rig's own, without their descendants.
func children() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // ended meanwhile
		}
		// "pid (name) state parent …", where the name may contain anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// find returns the path of a program. If it is missing, the error names the package that has it.
func find(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	// Where Debian keeps servers, which is in the search path of root only.
	if path, err := exec.LookPath("/usr/sbin/" + program); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is not installed (Debian's package %s has it)", program, debian)
}
