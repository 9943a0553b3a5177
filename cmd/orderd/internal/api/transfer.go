package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

// Transfer is an amount that went from one account to another, as the API shows it.
type Transfer struct {
	ID        string    `json:"id"`
	State     string    `json:"state" doc:"succeeded: a transfer that is refused leaves nothing."`
	Version   int64     `json:"version"`
	From      string    `json:"from" doc:"The account that gave."`
	To        string    `json:"to" doc:"The account that got."`
	Amount    int64     `json:"amount" doc:"In minor units of the currency, or points."`
	Currency  string    `json:"currency"`
	CreatedAt time.Time `json:"created_at"`
}

func showTransfer(t ledger.Transfer) Transfer {
	return Transfer{
		ID: t.ID, State: string(t.State), Version: t.Version, From: t.From, To: t.To, Amount: t.Amount, Currency: t.Currency,
		CreatedAt: t.CreatedAt.UTC(),
	}
}

type moveInput struct {
	KeyOrToken
	Body struct {
		From     string `json:"from" minLength:"1" maxLength:"64" doc:"The account that gives."`
		To       string `json:"to" minLength:"1" maxLength:"64" doc:"The account that gets."`
		Amount   int64  `json:"amount" minimum:"1" maximum:"9007199254740991" doc:"In minor units of the currency, or points."`
		Currency string `json:"currency" pattern:"^[A-Z]{3}$" example:"EUR" doc:"That of both accounts."`
	}
}

type depositInput struct {
	KeyOrToken
	ID   string `path:"id" maxLength:"64" doc:"The account that gets."`
	Body struct {
		Amount int64  `json:"amount" minimum:"1" maximum:"9007199254740991" doc:"In minor units of the account's currency, or points."`
		Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Why, for history."`
	}
}

// Transferred is a transfer with the outcome of asking for it.
type Transferred struct {
	Transfer
	Outcome string `json:"outcome" enum:"applied,already" doc:"applied: this call made it. already: the key had."`
	Detail  string `json:"detail" doc:"replayed, or empty."`
}

type moveOutput struct {
	NextToken
	Status   int    `doc:"201, or 200 for a repeat."`
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed" doc:"true on a repeat."`
	Body     Transferred
}

type transferInput struct {
	ID string `path:"id" maxLength:"64" doc:"The transfer's id."`
}

type transferOutput struct{ Body Transfer }

func (a *api) registerTransfers() {
	tags := []string{"accounts"}
	register(a, huma.Operation{
		OperationID: "make-transfer", Method: http.MethodPost, Path: "/v1/transfers", DefaultStatus: http.StatusCreated,
		Tags: tags, Summary: "Move an amount from one account to another.",
		Description: "Needs an Idempotency-Key or a Submit-Token (428 without one); the same request with the same one " +
			"moves it once and is told of the first success from then on. What an account does not have cannot leave it.",
	}, submitting, a.move)
	register(a, huma.Operation{
		OperationID: "deposit", Method: http.MethodPost, Path: "/v1/accounts/{id}/deposits", DefaultStatus: http.StatusCreated,
		Tags: tags, Summary: "Put something into an account that came from outside.",
		Description: "A transfer from the system's account of the same kind and currency, which may owe. Needs an " +
			"Idempotency-Key or a Submit-Token (428 without one).",
	}, submitting, a.deposit)
	register(a, huma.Operation{
		OperationID: "get-transfer", Method: http.MethodGet, Path: "/v1/transfers/{id}", Tags: tags, Summary: "Read a transfer.",
	}, reading, a.transfer)
}

func (a *api) move(ctx context.Context, in *moveInput) (*moveOutput, error) {
	return a.transferOnce(ctx, in.KeyOrToken, in.Body, func(
		ctx context.Context, by orders.Caller, seq string,
	) (ledger.Transfer, engine.Result, error) {
		return a.Ledger.Move(ctx, by, seq, ledger.NewTransfer{From: in.Body.From, To: in.Body.To, Amount: in.Body.Amount,
			Currency: in.Body.Currency})
	})
}

func (a *api) deposit(ctx context.Context, in *depositInput) (*moveOutput, error) {
	return a.transferOnce(ctx, in.KeyOrToken, []any{in.ID, in.Body.Amount}, func(
		ctx context.Context, by orders.Caller, seq string,
	) (ledger.Transfer, engine.Result, error) {
		return a.Ledger.Deposit(ctx, by, seq, in.ID, in.Body.Amount, in.Body.Reason)
	})
}

func (a *api) transferOnce(ctx context.Context, key KeyOrToken, request any,
	work func(ctx context.Context, by orders.Caller, seq string) (ledger.Transfer, engine.Result, error)) (*moveOutput, error) {
	var t ledger.Transfer
	var result engine.Result
	next, err := a.once(ctx, submitted{key, ledger.ScopeTransfer, request}, func(
		ctx context.Context, by orders.Caller, seq string,
	) (err error) {
		t, result, err = work(ctx, by, seq)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &moveOutput{
		NextToken: next, Status: http.StatusCreated, Location: "/v1/transfers/" + t.ID, Replayed: replayed(result),
		Body: Transferred{Transfer: showTransfer(t), Outcome: string(result.Outcome), Detail: string(result.Detail)},
	}
	if result.Outcome == engine.Already {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (a *api) transfer(ctx context.Context, in *transferInput) (*transferOutput, error) {
	t, err := a.Ledger.Transfer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &transferOutput{showTransfer(t)}, nil
}
