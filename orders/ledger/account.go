package ledger

import (
	"fmt"
	"regexp"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// MachineAccount is the name of the machine that drives an Account.
const MachineAccount = "account"

// AccountOpen is the state of an account.
const AccountOpen engine.State = "open"

// EventOpen creates an account.
const EventOpen engine.Event = "open"

// The kinds of accounts.
const (
	Money  = "money"
	Points = "points"
)

// System is the owner of the shop's own accounts: where deposits come from. They may owe.
const System = "system"

// Account is what somebody has of one currency, the row of the machine "account". Its version counts
// transitions; its entries have a count of their own. What they change is not the machine's alone.
type Account struct {
	ID        string       `gorm:"primaryKey" engine:"id" json:"id"`
	State     engine.State `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version   int64        `gorm:"<-:create" engine:"version" json:"version"`
	Owner     string       `json:"owner"`
	Kind      string       `json:"kind"`
	Currency  string       `json:"currency"`
	Overdraft bool         `json:"overdraft"`                                // may owe
	Balance   int64        `gorm:"<-:create" engine:"shared" json:"balance"` // minor units of Currency, or points
	Entries   int64        `gorm:"<-:create" engine:"shared" json:"entries"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `engine:"shared" json:"updated_at"`
}

// TableName is for gorm.
func (Account) TableName() string { return "accounts" }

// NewAccount says which account somebody wants. There is one for each owner, kind and currency.
type NewAccount struct {
	Owner    string `json:"owner"`
	Kind     string `json:"kind"`
	Currency string `json:"currency"`
}

const ownerMax = 190 // characters

var pointsCode = regexp.MustCompile(`^[A-Z]{3}$`)

// Validate names the first field that is wrong, as an *engine.RequestError.
func (n NewAccount) Validate() error {
	if err := orders.CheckText("owner", n.Owner, 1, ownerMax); err != nil {
		return err
	}
	switch n.Kind {
	case Money:
		if _, known := orders.Exponent(n.Currency); !known {
			return &engine.RequestError{Field: "currency", Problem: "want an ISO 4217 code such as EUR"}
		}
	case Points:
		if !pointsCode.MatchString(n.Currency) {
			return &engine.RequestError{Field: "currency", Problem: "want three capital letters"}
		}
	default:
		return &engine.RequestError{Field: "kind", Problem: "want money or points"}
	}
	return nil
}

func accountMachine() (*engine.Machine[Account], error) {
	return engine.NewMachine(engine.Definition[Account]{
		Name: MachineAccount, Exclusive: true,
		Events: map[engine.Event]engine.Spec{EventOpen: {Input: NewAccount{}}},
		Edges: []engine.Edge[Account]{
			{Event: EventOpen, To: AccountOpen, Actions: []engine.Action[Account]{nameOwner()}},
		},
	})
}

func nameOwner() engine.Action[Account] {
	return engine.Set("name_owner", func(c engine.Call[Account, NewAccount], fx *engine.Effects) error {
		a, n := c.Subject, c.Input
		a.Owner, a.Kind, a.Currency, a.Overdraft = n.Owner, n.Kind, n.Currency, n.Owner == System
		a.Balance, a.Entries = 0, 0
		fx.Emit("account.opened", AccountMessage{ID: a.ID, Owner: a.Owner, Kind: a.Kind, Currency: a.Currency})
		return nil
	})
}

// AccountMessage is the body of account.opened.
type AccountMessage struct {
	ID       string `json:"id"`
	Owner    string `json:"owner"`
	Kind     string `json:"kind"`
	Currency string `json:"currency"`
}

// amount writes an amount for people.
func (a Account) amount(n int64) string {
	if a.Kind == Points {
		return fmt.Sprintf("%d %s points", n, a.Currency)
	}
	return orders.FormatMoney(n, a.Currency)
}
