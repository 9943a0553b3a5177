package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine/once"
)

// Spender spends submit tokens inside a transaction: a *once.Tokens.
type Spender interface {
	Spend(ctx context.Context, tx *gorm.DB, text string, b once.Binding) error
}

var _ Spender = (*once.Tokens)(nil)

var errNoSpender = errors.New("submit tokens are not in use here")

// SpendToken makes an action that spends Request.Token, where there is one, in the transaction of the
// work: who issued it names the source of the request's key as the holder, and scope. A token that
// cannot be spent rolls back with an error that matches once.ErrUnknown, unless the request's key has
// been used meanwhile: then the answer is what its twin was told.
func SpendToken[S any](tokens Spender, scope string) Action[S] {
	a := ExecAll("spend_token", func(ctx context.Context, tx *gorm.DB, calls []Call[S, NoInput]) []error {
		errs := make([]error, len(calls))
		order := make([]int, 0, len(calls)) // in which everybody locks the rows of tokens
		for i, c := range calls {
			if c.Request.Token != "" {
				order = append(order, i)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(calls[a].Request.Token, calls[b].Request.Token) })
		for _, i := range order {
			if tokens == nil {
				errs[i] = errNoSpender
				continue
			}
			r := calls[i].Request
			errs[i] = tokens.Spend(ctx, tx, r.Token, once.Binding{Holder: r.Key.Source, Scope: scope})
		}
		return errs
	})
	a.spends = true
	return a
}
