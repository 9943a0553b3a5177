package ledger

import (
	"example.com/orderd/engine"
)

// Tight reports whether a batch that takes amounts from one account with a balance locks it before it decides.
func Tight(balance int64, amounts ...int64) bool {
	a := Account{ID: "a", Owner: "ada", Kind: Money, Currency: "EUR", Balance: balance}
	to := Account{ID: "b", Owner: "bob", Kind: Money, Currency: "EUR"}
	was := map[string]Account{a.ID: a, to.ID: to}
	b := &books{read: was, now: map[string]*Account{a.ID: &a, to.ID: &to}, taken: map[string]int64{}}
	for _, amount := range amounts {
		_ = b.post(engine.Call[Transfer, NewTransfer]{ // refused where too much is asked for
			Subject: &Transfer{From: a.ID, To: to.ID, Amount: amount, Currency: "EUR"}, Request: engine.Request{Event: EventTransfer},
		})
	}
	return b.tight()
}
