package ledger

import (
	"context"
	"fmt"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/orders"
)

// Open returns the account that somebody wants, and opens it first if there is none. Whoever comes
// later gets the same account, with already: of twins that open it at once the unique index lets one
// win, and the others read back what that one has made. A key is optional; one that was used for
// something else is conflict/key_reused. Malformed input is an *engine.RequestError.
func (l *Ledger) Open(ctx context.Context, by orders.Caller, seq string, n NewAccount) (Account, engine.Result, error) {
	if n.Owner == System {
		return Account{}, engine.Result{}, &engine.RequestError{Field: "owner", Problem: "is the shop itself"}
	}
	return l.open(ctx, engine.Request{Key: by.Key(seq), Actor: by.Actor}, n)
}

func (l *Ledger) open(ctx context.Context, r engine.Request, n NewAccount) (Account, engine.Result, error) {
	if err := n.Validate(); err != nil {
		return Account{}, engine.Result{}, err
	}
	r.Machine, r.Event, r.Input = MachineAccount, EventOpen, n
	a, known, err := l.find(ctx, n)
	if err != nil {
		return Account{}, engine.Result{}, err
	}
	if !known {
		// Not through the batcher: a duplicate is expected here, and others should not suffer from it.
		row := &Account{ID: l.cfg.NewID("acc")}
		result, err := orders.Create(ctx, l.engine, row, r)
		switch {
		case err == nil && result.Outcome == engine.Applied:
			return *row, result, nil
		case err != nil && dberr.Classify(err) != dberr.Duplicate:
			return Account{}, result, err
		}
		switch a, known, err = l.find(ctx, n); {
		case err != nil:
			return Account{}, engine.Result{}, err
		case !known:
			return Account{}, engine.Result{}, fmt.Errorf("the account of %s was opened by somebody else and is gone", n.Owner)
		}
	}
	return l.already(ctx, r, a)
}

// already answers for an account that is there, unless the request's key says something else.
func (l *Ledger) already(ctx context.Context, r engine.Request, a Account) (Account, engine.Result, error) {
	if !r.Key.IsZero() {
		r.DryRun = true
		result, err := orders.Create(ctx, l.engine, &Account{ID: l.cfg.NewID("acc")}, r)
		if err != nil || result.Outcome == engine.Already {
			result.DryRun = false
			return a, result, err
		}
	}
	return a, engine.Result{
		Outcome: engine.Already, Detail: engine.SameState, Machine: MachineAccount, ID: a.ID, Event: EventOpen,
		State: a.State, Version: a.Version,
	}, nil
}

func (l *Ledger) find(ctx context.Context, n NewAccount) (a Account, known bool, err error) {
	var found []Account
	err = l.db.WithContext(ctx).Where("owner = ? AND kind = ? AND currency = ?", n.Owner, n.Kind, n.Currency).
		Limit(1).Find(&found).Error
	if err != nil {
		return Account{}, false, fmt.Errorf("look for the account of %s: %w", n.Owner, err)
	}
	if len(found) == 0 {
		return Account{}, false, nil
	}
	return found[0], true, nil
}

// accountsMax bounds the accounts of one owner that are listed.
const accountsMax = 500

// Accounts lists the accounts of an owner, by kind and currency.
func (l *Ledger) Accounts(ctx context.Context, owner string) ([]Account, error) {
	if err := orders.CheckText("owner", owner, 1, ownerMax); err != nil {
		return nil, err
	}
	all := []Account{}
	err := l.db.WithContext(ctx).Where("owner = ?", owner).Order("kind, currency").Limit(accountsMax).Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list the accounts of %s: %w", owner, err)
	}
	return all, nil
}

// system is the shop's own account of a kind and currency, opened when it is first needed.
func (l *Ledger) system(ctx context.Context, kind, currency string) (Account, error) {
	n := NewAccount{Owner: System, Kind: kind, Currency: currency}
	a, _, err := l.open(ctx, engine.Request{Actor: engine.SourceSystem + "ledger"}, n)
	return a, err
}
