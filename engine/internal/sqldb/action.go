package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"gorm.io/gorm"
)

// Action is user code under way in a transaction of the engine's. The context that it is given leads back here,
// so that what it does past its transaction is refused at once: where there is one writer it would wait for its
// own end, and elsewhere it would commit by itself, once for each time that the action runs.
type Action struct {
	name string
	pool *sql.DB // the database's, nil if unknown

	mu      sync.Mutex
	over    bool
	mistake error
}

type actionKey struct{}

// Acting marks a context as that of an action, until End.
func (tx *Tx) Acting(ctx context.Context, name string) (context.Context, *Action) {
	a := &Action{name: name, pool: tx.origin}
	return context.WithValue(ctx, actionKey{}, a), a
}

// ActionOf is the action under way whose context ctx is, or nil.
func ActionOf(ctx context.Context) *Action {
	a, _ := ctx.Value(actionKey{}).(*Action)
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	return a
}

// Name is the action's.
func (a *Action) Name() string { return a.name }

// Mistaken notes what the action has done wrong, whether or not it returns the error, and returns it.
func (a *Action) Mistaken(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mistake == nil {
		a.mistake = err
	}
	return err
}

// End says that the action has returned. What it left running may use the context as any other from now on. It
// returns the first mistake.
func (a *Action) End() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return a.mistake
}

// Past refuses a statement that reaches a pool of connections, and not a transaction, with the context of an action
// on the same database.
func Past(ctx context.Context, pool *sql.DB) error {
	a := ActionOf(ctx)
	if a == nil || a.pool != pool {
		return nil
	}
	return a.Mistaken(fmt.Errorf("action %s uses a handle of its own, which is outside of the transaction it runs in: "+
		"use the *gorm.DB that the action is given", a.name))
}

// connections is the pool of connections behind a handle, nil if that does not tell.
func connections(pool gorm.ConnPool) *sql.DB {
	switch pool := plainPool(pool).(type) {
	case *sql.DB:
		return pool
	case gorm.GetDBConnector:
		d, err := pool.GetDBConn()
		if err == nil {
			return d
		}
	}
	return nil
}
