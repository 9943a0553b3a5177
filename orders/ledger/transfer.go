package ledger

import (
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// MachineTransfer is the name of the machine that drives a Transfer.
const MachineTransfer = "transfer"

// TransferSucceeded is the state of a transfer. One that is refused leaves no row.
const TransferSucceeded engine.State = "succeeded"

// The events of a transfer. Both create one; only a deposit comes from the system's account.
const (
	EventTransfer engine.Event = "transfer"
	EventDeposit  engine.Event = "deposit"
)

// ScopeTransfer is that of submit tokens for transfers.
const ScopeTransfer = "transfer"

// Transfer is an amount that went from one account to another, the row of the machine "transfer".
type Transfer struct {
	ID        string       `gorm:"primaryKey" engine:"id" json:"id"`
	State     engine.State `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version   int64        `gorm:"<-:create" engine:"version" json:"version"`
	From      string       `gorm:"column:from_id" json:"from"`
	To        string       `gorm:"column:to_id" json:"to"`
	Amount    int64        `json:"amount"` // minor units of Currency, or points
	Currency  string       `json:"currency"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
}

// TableName is for gorm.
func (Transfer) TableName() string { return "transfers" }

// NewTransfer is what is to be moved.
type NewTransfer struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Validate names the first field that is wrong, as an *engine.RequestError.
func (n NewTransfer) Validate() error {
	for field, id := range map[string]string{"from": n.From, "to": n.To} {
		if err := orders.CheckText(field, id, 1, 64); err != nil {
			return err
		}
	}
	if n.From == n.To {
		return &engine.RequestError{Field: "to", Problem: "is the account that gives"}
	}
	if n.Amount < 1 || n.Amount > orders.AmountMax {
		return &engine.RequestError{Field: "amount", Problem: "want 1 to 2^53-1"}
	}
	if !pointsCode.MatchString(n.Currency) {
		return &engine.RequestError{Field: "currency", Problem: "want three capital letters"}
	}
	return nil
}

// transferMachine has no state for a transfer under way: all of it happens in the transaction that
// creates it, or nothing does.
func (cfg Config) transferMachine() (*engine.Machine[Transfer], error) {
	actions := []engine.Action[Transfer]{
		noteTransfer(), engine.SpendToken[Transfer](cfg.Tokens, ScopeTransfer), post(),
	}
	return engine.NewMachine(engine.Definition[Transfer]{
		Name: MachineTransfer, Exclusive: true,
		Events: map[engine.Event]engine.Spec{
			EventTransfer: {Input: NewTransfer{}, Factual: true},
			EventDeposit:  {Input: NewTransfer{}, Factual: true},
		},
		Edges: []engine.Edge[Transfer]{
			{Event: EventTransfer, To: TransferSucceeded, Actions: actions},
			{Event: EventDeposit, To: TransferSucceeded, Actions: actions},
		},
	})
}

func noteTransfer() engine.Action[Transfer] {
	return engine.Set("note_transfer", func(c engine.Call[Transfer, NewTransfer], fx *engine.Effects) error {
		t, n := c.Subject, c.Input
		t.From, t.To, t.Amount, t.Currency = n.From, n.To, n.Amount, n.Currency
		fx.Emit("transfer.succeeded", TransferMessage{ID: t.ID, From: t.From, To: t.To, Amount: t.Amount, Currency: t.Currency})
		return nil
	})
}

// TransferMessage is the body of transfer.succeeded.
type TransferMessage struct {
	ID       string `json:"id"`
	From     string `json:"from"`
	To       string `json:"to"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}
