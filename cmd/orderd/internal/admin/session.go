package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of sessions.
const (
	sessionIdle = time.Hour
	sessionLife = 12 * time.Hour
	sessionsMax = 4096
)

// session is one person's login. It keeps the key, so that a key which is revoked ends its session,
// and dies with the process.
type session struct {
	key   string
	since time.Time
	used  time.Time

	notice *notice // for the next page of its order
}

// sessions are all logins. They are found by the hash of their id, so that how long a look-up takes
// tells nothing about ids. It is safe for concurrent use.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[sha256.Size]byte]*session{}}
}

// open starts a session for a key and returns its id.
func (s *sessions) open(key string) string {
	id := rand.Text() + rand.Text()
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= sessionsMax {
		s.makeRoom(now)
	}
	s.all[sha256.Sum256([]byte(id))] = &session{key: key, since: now, used: now}
	return id
}

// find returns the key of a live session and counts the visit.
func (s *sessions) find(id string) (key string, ok bool) {
	now, sum := s.now(), sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[sum]
	if found == nil {
		return "", false
	}
	if found.over(now) {
		delete(s.all, sum)
		return "", false
	}
	found.used = now
	return found.key, true
}

// end ends a session, if there is one.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(id)))
}

// leave keeps a notice for the next page of its order, in place of an earlier one.
func (s *sessions) leave(id string, n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.all[sha256.Sum256([]byte(id))]; found != nil {
		found.notice = &n
	}
}

// take returns the notice that was left for an order, once.
func (s *sessions) take(id, order string) *notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[sha256.Sum256([]byte(id))]
	if found == nil || found.notice == nil || found.notice.Order != order {
		return nil
	}
	n := found.notice
	found.notice = nil
	return n
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) >= sessionIdle || now.Sub(s.since) >= sessionLife
}

// makeRoom drops what is over and, if nothing is, the session that has been idle for longest.
func (s *sessions) makeRoom(now time.Time) {
	var idle [sha256.Size]byte
	var since time.Time
	for sum, one := range s.all {
		if one.over(now) {
			delete(s.all, sum)
		} else if since.IsZero() || one.used.Before(since) {
			idle, since = sum, one.used
		}
	}
	if len(s.all) >= sessionsMax {
		delete(s.all, idle)
	}
}

// isLoopback tells whether a host name is this machine's own.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
