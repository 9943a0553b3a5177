package callback

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
	"example.com/orderd/orders/provider/standard"
)

// FakeName is the provider of development.
const FakeName = "fake"

// Fake plays a payment provider in development: a page on which a payment is paid or refused, and a
// signed callback to the daemon's own address, over HTTP like a real one.
type Fake struct {
	*standard.Provider
	payment func(ctx context.Context, id string) (orders.Payment, error)
	now     func() time.Time
	to      string // the daemon's own address
	client  *http.Client
}

// NewFake makes the provider with a secret of its own.
func NewFake(payment func(context.Context, string) (orders.Payment, error), now func() time.Time, to string) (*Fake, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, says its documentation
	signer, err := standard.New(FakeName, "whsec_"+base64.StdEncoding.EncodeToString(secret))
	if err != nil {
		return nil, err
	}
	// No connection stays open: a page is used by one person, now and then.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return &Fake{Provider: signer, payment: payment, now: now, to: to, client: client}, nil
}

// PayPath is where a payment is paid.
func PayPath(payment string) string { return "/dev/pay/" + payment }

// Mount adds the page to a mux.
func (f *Fake) Mount(mux interface {
	Handle(pattern string, handler http.Handler)
}) {
	mux.Handle("GET /dev/pay/{id}", http.HandlerFunc(f.page))
	refuse := http.NewCrossOriginProtection()
	refuse.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(problem.Forbidden, "the form was sent from another site").Write(w)
	}))
	mux.Handle("POST /dev/pay/{id}", refuse.Handler(http.HandlerFunc(f.answer)))
}

func (f *Fake) page(w http.ResponseWriter, r *http.Request) {
	p, err := f.find(r)
	if err != nil {
		problem.From(err).Write(w)
		return
	}
	web.PayPage(w, web.Pay{
		Order: p.OrderID, Payment: p.ID, State: string(p.State), Reference: p.Reference,
		Amount: orders.FormatMoney(p.Amount, p.Currency),
	})
}

// answer reports what the button said. The transaction is named after the payment, so that a second
// click tells of the same fact.
func (f *Fake) answer(w http.ResponseWriter, r *http.Request) {
	p, err := f.find(r)
	if err != nil {
		problem.From(err).Write(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	kind := provider.Kind("payment." + r.PostFormValue("answer"))
	if !slices.Contains([]provider.Kind{provider.Captured, provider.Failed}, kind) {
		problem.New(problem.BadRequest, "answer: want captured or failed").Write(w)
		return
	}
	if err := f.report(r.Context(), kind, p); err != nil {
		problem.New(problem.Unavailable, "the callback was not taken: %v", err).Write(w)
		return
	}
	http.Redirect(w, r, PayPath(p.ID), http.StatusSeeOther)
}

func (f *Fake) find(r *http.Request) (orders.Payment, error) {
	p, err := f.payment(r.Context(), r.PathValue("id"))
	if err == nil && p.Provider != FakeName {
		return p, problem.New(problem.NotFound, "the payment is another provider's")
	}
	return p, err
}

// report sends one signed callback and wants success.
func (f *Fake) report(ctx context.Context, kind provider.Kind, p orders.Payment) error {
	body, err := json.Marshal(map[string]any{"type": kind, "data": map[string]any{
		"id": "fake-" + p.ID, "reference": p.Reference, "amount": p.Amount, "currency": p.Currency,
	}})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to+"/v1/callbacks/"+FakeName, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	f.Sign(request.Header, "msg-"+rand.Text(), body, f.now())
	response, err := f.client.Do(request)
	if err != nil {
		return err
	}
	_, readErr := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if err := errors.Join(readErr, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer was %s", response.Status)
	}
	return nil
}
