package ledger

import (
	"context"
	"errors"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// Move makes a transfer. It carries money, so it needs a key (illegal/identity_required without one); a
// repeat is told of the first one's success. A short balance, unknown accounts and other currencies are
// illegal/guard, and leave nothing. Malformed input is an *engine.RequestError.
func (l *Ledger) Move(ctx context.Context, by orders.Caller, seq string, n NewTransfer) (Transfer, engine.Result, error) {
	return l.create(ctx, n, engine.Request{
		Event: EventTransfer, Key: by.Key(seq), Token: by.Token(seq), Actor: by.Actor,
	})
}

// Deposit gives an account something from the system's account of its kind and currency: money that came
// in from outside, points that were earned. It needs a key, as Move does. It matches engine.ErrNotFound
// if there is no such account.
func (l *Ledger) Deposit(ctx context.Context, by orders.Caller, seq, account string, amount int64,
	reason string) (Transfer, engine.Result, error) {
	return l.deposit(ctx, account, amount, engine.Request{Key: by.Key(seq), Token: by.Token(seq), Actor: by.Actor, Reason: reason})
}

func (l *Ledger) deposit(ctx context.Context, account string, amount int64, r engine.Request) (Transfer, engine.Result, error) {
	to, err := l.Account(ctx, account)
	if err != nil {
		var missing *engine.Error
		if errors.As(err, &missing) {
			return Transfer{}, missing.Result, err
		}
		return Transfer{}, engine.Result{}, err
	}
	if to.Owner == System {
		return Transfer{}, engine.Result{}, &engine.RequestError{Field: "id", Problem: "is the account that deposits come from"}
	}
	from, err := l.system(ctx, to.Kind, to.Currency)
	if err != nil {
		return Transfer{}, engine.Result{}, err
	}
	r.Event = EventDeposit
	return l.create(ctx, NewTransfer{From: from.ID, To: to.ID, Amount: amount, Currency: to.Currency}, r)
}

// create makes a transfer.
func (l *Ledger) create(ctx context.Context, n NewTransfer, r engine.Request) (Transfer, engine.Result, error) {
	if err := n.Validate(); err != nil {
		return Transfer{}, engine.Result{}, err
	}
	r.Machine, r.Input = MachineTransfer, n
	row := &Transfer{ID: l.cfg.NewID("trf")}
	result, err := orders.Create(ctx, l.apply, row, r)
	if err != nil {
		return Transfer{}, result, err
	}
	if result.Outcome == engine.Applied {
		return *row, result, nil
	}
	t, err := l.Transfer(ctx, result.ID)
	return t, result, err
}
