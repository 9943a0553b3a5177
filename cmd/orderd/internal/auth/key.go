package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Key is an API key as it is stored: without its secret.
type Key struct {
	ID        string     `json:"id"`
	Principal string     `json:"principal"`
	Name      string     `json:"name"`
	Roles     []Role     `json:"roles"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"` // nil: never
	RevokedAt *time.Time `json:"revoked_at"` // nil: still good

	hash [sha256.Size]byte // of the secret
}

var (
	validPrincipal = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	validKey       = regexp.MustCompile(`^ork_([a-z2-7]{12})_([a-z2-7]{52})$`)
)

const nameMax = 190 // characters

// NewKey makes a key and its text, ork_<id>_<secret>, which is shown once and stored nowhere. The
// secret has 256 random bits, so its plain SHA-256 cannot be guessed backwards.
func NewKey(principal, name string, roles []Role, now time.Time, lifetime time.Duration) (Key, string, error) {
	switch {
	case !validPrincipal.MatchString(principal):
		return Key{}, "", fmt.Errorf("principal %q: want 1 to 64 lower-case letters, digits, dots, dashes and underscores", principal)
	case len([]rune(name)) > nameMax:
		return Key{}, "", fmt.Errorf("name: at most %d characters", nameMax)
	case len(roles) == 0:
		return Key{}, "", errors.New("a key needs at least one role")
	case lifetime < 0:
		return Key{}, "", errors.New("a lifetime cannot be negative")
	}
	id := strings.ToLower(rand.Text()[:12])
	secret := strings.ToLower(rand.Text() + rand.Text())
	k := Key{
		ID: id, Principal: principal, Name: name, Roles: roles,
		CreatedAt: now.UTC().Truncate(time.Microsecond), hash: sha256.Sum256([]byte(secret)),
	}
	if lifetime > 0 {
		end := k.CreatedAt.Add(lifetime)
		k.ExpiresAt = &end
	}
	return k, "ork_" + id + "_" + secret, nil
}

// split takes a key's text apart. It is false for what cannot be a key.
func split(text string) (id, secret string, ok bool) {
	parts := validKey.FindStringSubmatch(text)
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// opensWith reports whether the secret is the key's, in a time that does not tell how much of it is.
func (k Key) opensWith(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1
}

// Good reports whether the key is valid at a time.
func (k Key) Good(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}
