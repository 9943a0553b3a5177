// Package auth knows who may call the daemon and what for: keys, the principals they speak for, and
// the table of roles.
package auth

import (
	"fmt"
	"slices"
	"strings"

	"example.com/orderd/engine"
)

// Role is what a key is for.
type Role string

// The roles. They do not contain each other, except that Admin may do everything: a key gets all
// the roles it needs.
const (
	Viewer   Role = "viewer"   // reads everything
	Checkout Role = "checkout" // places orders, starts payments, cancels, asks for returns
	Operator Role = "operator" // all of the above, every transition that staff makes, the money desk
	Admin    Role = "admin"    // everything, and the events that otherwise only the system fires
)

// Roles lists all roles.
var Roles = []Role{Viewer, Checkout, Operator, Admin}

// ParseRoles reads names of roles. It refuses none, unknown and repeated ones.
func ParseRoles(names []string) ([]Role, error) {
	var roles []Role
	for _, name := range names {
		role := Role(strings.TrimSpace(name))
		switch {
		case !slices.Contains(Roles, role):
			return nil, fmt.Errorf("role %q is not known: want viewer, checkout, operator or admin", name)
		case slices.Contains(roles, role):
			return nil, fmt.Errorf("role %q is given twice", name)
		}
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("a key needs at least one role: viewer, checkout, operator or admin")
	}
	return roles, nil
}

// Principal is who calls. It stays the same when its key is replaced, so that a repeated request is
// still recognised.
type Principal struct {
	ID    string // lower-case letters, digits, dots, dashes and underscores
	KeyID string // which of its keys was used
	Roles []Role
}

// Source is the principal as the source of request keys.
func (p Principal) Source() string { return "principal:" + p.ID }

// May reports whether one of the principal's roles is enough. Nobody but an admin may do what no
// role is enough for.
func (p Principal) May(enough []Role) bool {
	for _, r := range p.Roles {
		if r == Admin || slices.Contains(enough, r) {
			return true
		}
	}
	return false
}

var (
	readers   = []Role{Viewer, Operator, Admin}
	everybody = []Role{Viewer, Checkout, Operator, Admin}
	shoppers  = []Role{Checkout, Operator, Admin}
	staff     = []Role{Operator, Admin}
	adminOnly = []Role{Admin}
)

// Routes says which roles are enough for a route of the API, by method and path. A route that is
// not listed is not served: registering it fails. A checkout reads what it knows the id of, never a
// list.
var Routes = map[string][]Role{
	"POST /v1/orders":                               shoppers,
	"GET /v1/orders":                                readers,
	"GET /v1/orders/{id}":                           everybody,
	"POST /v1/orders/{id}/transitions":              shoppers, // and Events, by event
	"GET /v1/orders/{id}/transitions":               readers,
	"GET /v1/orders/{id}/allowed-events":            everybody,
	"POST /v1/orders/{id}/payments":                 shoppers,
	"GET /v1/payments/{id}":                         everybody,
	"GET /v1/payments":                              readers,
	"GET /v1/money-desk":                            readers,
	"POST /v1/accounts":                             shoppers,
	"GET /v1/accounts":                              readers,
	"GET /v1/accounts/{id}":                         everybody,
	"GET /v1/accounts/{id}/entries":                 readers,
	"POST /v1/accounts/{id}/deposits":               staff, // makes money
	"POST /v1/transfers":                            shoppers,
	"GET /v1/transfers/{id}":                        everybody,
	"POST /v1/tokens":                               shoppers,
	"DELETE /v1/tokens/{token}":                     shoppers,
	"GET /v1/messages":                              readers,
	"GET /v1/messages/{id}":                         readers,
	"POST /v1/messages/{id}/retry":                  staff,
	"POST /v1/messages/replay":                      staff,
	"POST /v1/webhook-endpoints":                    adminOnly, // who hears of every order
	"GET /v1/webhook-endpoints":                     staff,
	"GET /v1/webhook-endpoints/{id}":                staff,
	"PATCH /v1/webhook-endpoints/{id}":              adminOnly,
	"DELETE /v1/webhook-endpoints/{id}":             adminOnly,
	"POST /v1/webhook-endpoints/{id}/rotate-secret": adminOnly,
	"POST /v1/webhook-endpoints/{id}/test":          staff,
	"POST /v1/webhook-endpoints/{id}/recover":       staff,
	"GET /v1/notifications":                         readers,
	"GET /v1/timers":                                readers,
	"POST /v1/timers/{id}/retry":                    staff,
	"GET /v1/webhook-deliveries":                    readers,
	"GET /v1/webhook-deliveries/{id}":               readers,
	"POST /v1/webhook-deliveries/{id}/redeliver":    staff,
	"GET /v1/machines":                              everybody,
	"GET /v1/machines/{name}":                       everybody,
	"GET /v1/machines/{name}/diagram":               everybody,
}

// Events says which roles are enough to ask for an event of an order. Those that record money are
// staff's, and those that the system fires by itself are an administrator's, as a repair by hand.
var Events = map[engine.Event][]Role{
	"cancel":         shoppers,
	"request_return": shoppers,

	"pay":            staff, // an offline payment
	"pay_part":       staff,
	"ship_part":      staff,
	"ship":           staff,
	"deliver":        staff,
	"complete":       staff,
	"fail_delivery":  staff,
	"accept_return":  staff,
	"reject_return":  staff,
	"request_refund": staff,
	"refund_part":    staff,
	"reopen":         staff,

	"place":         adminOnly, // happens in POST /v1/orders
	"expire":        adminOnly, // fired by its timer
	"finish_refund": adminOnly, // follows the refund's own result
}
