package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine"
	"example.com/orderd/orders/ledger"
)

// Account is what an owner has of one currency, as the API shows it.
type Account struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Version   int64     `json:"version" doc:"Counts transitions. Entries are counted by entries."`
	Owner     string    `json:"owner" doc:"Whose it is, in your own words; system is the shop itself."`
	Kind      string    `json:"kind" enum:"money,points"`
	Currency  string    `json:"currency" doc:"ISO 4217; points may have another code."`
	Balance   int64     `json:"balance" doc:"In minor units of the currency, or points. Never below zero, except system's."`
	Entries   int64     `json:"entries" doc:"How many entries it has."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at" doc:"When its last entry was posted."`
}

func showAccount(a ledger.Account) Account {
	return Account{
		ID: a.ID, State: string(a.State), Version: a.Version, Owner: a.Owner, Kind: a.Kind, Currency: a.Currency,
		Balance: a.Balance, Entries: a.Entries, CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

// Entry is one side of a transfer on an account, as the API shows it.
type Entry struct {
	TransferID string    `json:"transfer_id"`
	Amount     int64     `json:"amount" doc:"What the account got; below zero what it gave."`
	At         time.Time `json:"at"`
}

type openInput struct {
	KeyHeader
	Body struct {
		Owner    string `json:"owner" minLength:"1" maxLength:"190" doc:"Whose it is to be, in your own words."`
		Kind     string `json:"kind" enum:"money,points"`
		Currency string `json:"currency" pattern:"^[A-Z]{3}$" example:"EUR" doc:"ISO 4217; points may have any three capital letters."`
	}
}

// Opened is an account with the outcome of asking for it.
type Opened struct {
	Account
	Outcome string `json:"outcome" enum:"applied,already" doc:"applied: this call opened it. already: it was there."`
	Detail  string `json:"detail" doc:"Of already: replayed if it was opened under this key, else same_state."`
}

type openOutput struct {
	Status   int    `doc:"201, or 200 if it was there."`
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed" doc:"true if it was opened under this key."`
	Body     Opened
}

type accountInput struct {
	ID string `path:"id" maxLength:"64" doc:"The account's id."`
}

type accountOutput struct{ Body Account }

type accountsInput struct {
	Owner string `query:"owner" required:"true" minLength:"1" maxLength:"190" doc:"Whose accounts."`
}

type accountsOutput struct {
	Body struct {
		Data []Account `json:"data" nullable:"false" doc:"By kind and currency."`
	}
}

type entriesInput struct {
	ID string `path:"id" maxLength:"64" doc:"The account's id."`
	Page
}

type entriesOutput struct {
	Body struct {
		Data       []Entry `json:"data" nullable:"false" doc:"Newest first."`
		NextCursor string  `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerAccounts() {
	const path = "/v1/accounts"
	tags := []string{"accounts"}
	register(a, huma.Operation{
		OperationID: "open-account", Method: http.MethodPost, Path: path, DefaultStatus: http.StatusCreated,
		Tags: tags, Summary: "Get the account of an owner, kind and currency, and open it if there is none.",
		Description: "There is one of each: whoever asks later, with or without a key, gets the same one.",
	}, writing, a.openAccount)
	register(a, huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List the accounts of an owner.",
	}, reading, a.accounts)
	register(a, huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: path + "/{id}", Tags: tags, Summary: "Read an account.",
	}, reading, a.account)
	register(a, huma.Operation{
		OperationID: "list-entries", Method: http.MethodGet, Path: path + "/{id}/entries", Tags: tags,
		Summary: "List what an account got and gave.",
	}, reading, a.entries)
}

func (a *api) openAccount(ctx context.Context, in *openInput) (*openOutput, error) {
	opened, result, err := a.Ledger.Open(ctx, caller(ctx), in.seq, ledger.NewAccount{
		Owner: in.Body.Owner, Kind: in.Body.Kind, Currency: in.Body.Currency,
	})
	if err != nil {
		return nil, err
	}
	out := &openOutput{
		Status: http.StatusCreated, Location: "/v1/accounts/" + opened.ID, Replayed: replayed(result),
		Body: Opened{Account: showAccount(opened), Outcome: string(result.Outcome), Detail: string(result.Detail)},
	}
	if result.Outcome == engine.Already {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (a *api) account(ctx context.Context, in *accountInput) (*accountOutput, error) {
	one, err := a.Ledger.Account(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &accountOutput{showAccount(one)}, nil
}

func (a *api) accounts(ctx context.Context, in *accountsInput) (*accountsOutput, error) {
	all, err := a.Ledger.Accounts(ctx, in.Owner)
	if err != nil {
		return nil, err
	}
	out := &accountsOutput{}
	out.Body.Data = []Account{}
	for _, one := range all {
		out.Body.Data = append(out.Body.Data, showAccount(one))
	}
	return out, nil
}

func (a *api) entries(ctx context.Context, in *entriesInput) (*entriesOutput, error) {
	page, err := a.Ledger.Entries(ctx, in.ID, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	out := &entriesOutput{}
	out.Body.Data, out.Body.NextCursor = []Entry{}, page.NextCursor
	for _, e := range page.Data {
		out.Body.Data = append(out.Body.Data, Entry{
			TransferID: e.TransferID, Amount: e.Amount, At: e.At.UTC(),
		})
	}
	return out, nil
}
