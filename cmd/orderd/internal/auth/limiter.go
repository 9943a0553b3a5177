package auth

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of failed keys from one address. Guessing a key is hopeless anyway; the limit spares the
// database the look-ups.
const (
	failuresBurst     = 60
	failuresPerSecond = 1
	addressesMax      = 8192
)

// limiter counts failures by address. The zero value is not ready; use newLimiter.
type limiter struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[netip.Addr]*rate.Limiter
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, addresses: map[netip.Addr]*rate.Limiter{}}
}

// wait is how long an address has to wait before its next guess is looked at; 0 for not at all.
func (l *limiter) wait(from netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	failures := l.addresses[from]
	if failures == nil {
		return 0
	}
	missing := 1 - failures.TokensAt(l.now())
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / failuresPerSecond * float64(time.Second))
}

// failed counts one failure.
func (l *limiter) failed(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	failures := l.addresses[from]
	if failures == nil {
		if len(l.addresses) >= addressesMax {
			l.forget()
		}
		failures = rate.NewLimiter(failuresPerSecond, failuresBurst)
		l.addresses[from] = failures
	}
	failures.AllowN(l.now(), 1)
}

// forget drops the addresses that have recovered; all of them, if none has.
func (l *limiter) forget() {
	now := l.now()
	for from, failures := range l.addresses {
		if failures.TokensAt(now) >= failuresBurst {
			delete(l.addresses, from)
		}
	}
	if len(l.addresses) >= addressesMax {
		clear(l.addresses)
	}
}

// addressOf is the peer's address as counted: for IPv6 the /64 that one customer gets.
func addressOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
