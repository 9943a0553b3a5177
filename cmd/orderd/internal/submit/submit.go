// Package submit lets a request carry a submit token in place of a key. The token is the key, too: what
// was done with it is found in history, for ever and wherever tokens are kept.
package submit

import (
	"context"
	"errors"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/once/redistokens"
)

// Tokens issues submit tokens and lets work spend them.
type Tokens interface {
	Issue(ctx context.Context, b once.Binding) (once.Token, error)

	// Revoke deletes a holder's token and reports whether there was one.
	Revoke(ctx context.Context, text, holder string) (bool, error)

	// Spend lets a request with a token do its work, which is told whether it has to spend the token
	// in its own transaction. request says what is asked for. The error is the work's, or matches
	// once.ErrUnknown or once.ErrBound, or is a *problem.Problem.
	Spend(ctx context.Context, text string, b once.Binding, request string, work Work) error
}

// Work is what a request does, with the token as its key.
type Work func(ctx context.Context, spends bool) error

// SQL keeps tokens in the database: the work's own transaction spends them, waits for its twin there,
// and what the twin has done is found by the key.
type SQL struct{ *once.Tokens }

// Spend does the work.
func (SQL) Spend(ctx context.Context, _ string, _ once.Binding, _ string, work Work) error {
	return work(ctx, true)
}

// Redis keeps tokens in Redis, before the database is asked.
type Redis struct {
	Tokens *redistokens.Tokens
	ByKey  func(context.Context, engine.Key) (engine.Transition, error)
}

// Issue makes a token.
func (r Redis) Issue(ctx context.Context, b once.Binding) (once.Token, error) {
	token, err := r.Tokens.Issue(ctx, b)
	return token, away(err)
}

// Revoke deletes a holder's token.
func (r Redis) Revoke(ctx context.Context, text, holder string) (bool, error) {
	there, err := r.Tokens.Revoke(ctx, text, holder)
	return there, away(err)
}

// Spend does the work for the first request, and lets the others find what it did, after it has ended.
func (r Redis) Spend(ctx context.Context, text string, b once.Binding, request string, work Work) error {
	_, first, err := r.Tokens.Spend(ctx, text, b, request, func(ctx context.Context) ([]byte, error) {
		return nil, work(ctx, false)
	})
	switch {
	case errors.Is(err, once.ErrUnknown):
		// Redis may have forgotten what the database has not.
		if _, used := r.ByKey(ctx, engine.Key{Source: b.Holder, Seq: text}); used != nil {
			if errors.Is(used, engine.ErrNotFound) {
				return err
			}
			return used
		}
	case err != nil:
		return away(err)
	case first:
		return nil
	}
	return work(ctx, false)
}

// away says in the daemon's words that Redis could not be asked. What the work said goes first.
func away(err error) error {
	var outcome *engine.Error
	if errors.Is(err, redistokens.ErrAway) && !errors.As(err, &outcome) {
		return problem.New(problem.Unavailable, "submit tokens are kept in Redis, which does not answer; nothing was done").Because(err)
	}
	return err
}
