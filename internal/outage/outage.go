//go:build linux

package outage

import (
	"sync"
	"time"
)

// Outage is one way in which a database is away.
type Outage struct {
	Name   string
	Binlog int // room for the server's binary log, in bytes; 0 is enough

	// Slows says that the server goes on answering.
	Slows bool

	// Begin makes it so, and returns what ends it.
	Begin func(*Server) (end func())
}

// stutter is how long a slow server stands still, and then works.
const stutter, work = 150 * time.Millisecond, 20 * time.Millisecond

// All are the outages.
var All = []Outage{
	{Name: "killed", Begin: func(s *Server) func() {
		s.Kill()
		return s.Run
	}},
	{Name: "hanging", Begin: func(s *Server) func() {
		s.Freeze()
		return s.Thaw
	}},
	{Name: "read-only", Begin: func(s *Server) func() {
		s.Exec("SET GLOBAL read_only = 1")
		return func() { s.Exec("SET GLOBAL read_only = 0") }
	}},
	{Name: "slow", Slows: true, Begin: slow},
	{Name: "disk full", Binlog: 8 << 20, Begin: func(s *Server) func() {
		s.FillDisk()
		return s.EmptyDisk
	}},
}

// slow lets the server work for a moment only, again and again.
func slow(s *Server) func() {
	stop := make(chan struct{})
	var pulse sync.WaitGroup
	pulse.Go(func() {
		for {
			s.Freeze()
			select {
			case <-stop:
			case <-time.After(stutter):
			}
			s.Thaw()
			select {
			case <-stop:
				return
			case <-time.After(work):
			}
		}
	})
	return func() {
		close(stop)
		pulse.Wait()
	}
}
