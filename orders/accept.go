package orders

import (
	"context"
	"fmt"
	"log/slog"

	"example.com/orderd/engine"
	"example.com/orderd/orders/provider"
)

// FactReceipt is the answer to a provider's callback.
type FactReceipt struct {
	Fact   Fact          // as it stands now; in state received if it could not be decided yet
	Result engine.Result // of keeping it: applied, or already for a repeat
}

// Accept keeps a verified fact, then decides about it. An error says that the fact is not kept, or
// not certainly: the provider must be made to send it again. Everything after that is no business of
// the provider's: a decision that fails is taken later, by a repeat of the fact or by Settle.
func (s *Shop) Accept(ctx context.Context, said provider.Fact) (FactReceipt, error) {
	if err := said.Validate(); err != nil {
		return FactReceipt{}, err
	}
	f := &Fact{
		ID: s.cfg.NewID("fact"), Provider: said.Provider, Kind: said.Kind, TransactionID: said.ID,
		Reference: said.Reference, Amount: said.Amount, Currency: said.Currency,
	}
	key := engine.Key{Source: engine.SourceProvider + said.Provider, Seq: string(said.Kind) + "/" + said.ID}
	result, err := Create(ctx, s.apply, f, engine.Request{
		Machine: MachineFact, Event: EventReceive, Input: receiptOf(said), Key: key, Actor: said.Provider,
	})
	switch {
	case result.Detail == engine.FactMismatch:
		return s.contradict(ctx, f, key, result.Proof)
	case err != nil:
		return FactReceipt{Result: result}, fmt.Errorf("keep a fact of %s: %w", said.Provider, err)
	case result.Outcome != engine.Applied:
		f = s.refreshed(ctx, f, result.ID)
	}
	if f.State == FactReceived {
		if err := s.decide(ctx, f); err != nil {
			s.cfg.Logger.WarnContext(ctx, "a payment fact is kept but not decided, it is tried again",
				slog.String("fact", f.ID), slog.Any("error", err))
		}
		f = s.refreshed(ctx, f, f.ID)
	}
	return FactReceipt{Fact: *f, Result: result}, nil
}

// contradict keeps another version of a fact that is known already. The first stays what it is; a
// person has to find out which one is true.
func (s *Shop) contradict(ctx context.Context, f *Fact, key engine.Key, first *engine.Transition) (FactReceipt, error) {
	content := receipt{ID: f.TransactionID, Reference: f.Reference, Amount: f.Amount, Currency: f.Currency}
	key.Seq += "#" + content.hash()
	f.DeskAmount, f.DeskReason = f.Amount, DeskMismatch
	p, err := s.paymentOf(ctx, f)
	if err != nil {
		return FactReceipt{}, err
	}
	if p != nil {
		f.PaymentID, f.OrderID = p.ID, p.OrderID
	}
	result, err := Create(ctx, s.apply, f, engine.Request{
		Machine: MachineFact, Event: EventContradict, Input: content, Key: key, Actor: f.Provider,
	})
	if err != nil {
		return FactReceipt{Result: result}, fmt.Errorf("keep a contradicting fact of %s: %w", f.Provider, err)
	}
	if result.Outcome != engine.Applied {
		return FactReceipt{Fact: *s.refreshed(ctx, f, result.ID), Result: result}, nil
	}
	s.cfg.Logger.ErrorContext(ctx, "a provider contradicts itself about money",
		slog.String("provider", f.Provider), slog.String("transaction", f.TransactionID),
		slog.String("fact", f.ID), slog.String("first", first.Subject))
	return FactReceipt{Fact: *f, Result: result}, nil
}

// refreshed is a fact as it is in the database, or as far as it is known when that cannot be read.
func (s *Shop) refreshed(ctx context.Context, known *Fact, id string) *Fact {
	f, err := engine.Load[Fact](ctx, s.engine, MachineFact, id)
	if err != nil {
		known.ID = id
		return known
	}
	return f
}
