package webhook_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/sqlitedb"
)

// Parcel is a row of our own.
type Parcel struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

type parcelCall = engine.Call[Parcel, engine.NoInput]

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "webhook"))
	db := must(sqlitedb.Open(filepath.Join(folder, "parcels.db")))
	check(errors.Join(db.AutoMigrate(&Parcel{}), engine.Migrate(ctx, db), webhook.Migrate(ctx, db)))
	announce := engine.Set("announce", func(c parcelCall, fx *engine.Effects) error {
		fx.Emit("parcel.posted", map[string]string{"id": c.Subject.ID})
		return nil
	})
	eng := must(engine.New(db, engine.Config{}, must(engine.NewMachine(engine.Definition[Parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"post": {}},
		Edges:  []engine.Edge[Parcel]{{Event: "post", To: "posted", Actions: []engine.Action[Parcel]{announce}}},
	}))))
	hooks := must(webhook.New(ctx, db, webhook.Config{
		Guard: must(webhook.ParseGuard("127.0.0.0/8")), // for this example: only public addresses are allowed otherwise
		NewID: id.New,
		Random: func(n int) []byte {
			bytes := make([]byte, n)
			must(rand.Read(bytes))
			return bytes
		},
	}))
	relay := must(outbox.NewRelay(ctx, db, outbox.Config{}, hooks))

	// Somebody wants to be told. Package standardwebhook shows how they check the signature.
	theirs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct{ Type, Subject string }
		check(json.Unmarshal(must(io.ReadAll(r.Body)), &event))
		fmt.Println("told of", event.Type, event.Subject)
	}))
	defer func() {
		hooks.Close()
		theirs.Close()
		check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder)))
	}()
	endpoint, _, err := hooks.Create(ctx, webhook.NewEndpoint{URL: theirs.URL, Events: []string{"parcel.*"}})
	check(err)

	must(engine.Create(ctx, eng, &Parcel{ID: "p1"}, engine.Request{Machine: "parcel"}))

	// In a program both steps are jobs of a worker, outbox.RelayName and webhook.SenderName.
	must(relay.Step(ctx, 0))
	must(hooks.Step(ctx, 0))
	hooks.Wait()
	for _, d := range must(hooks.Deliveries(ctx, webhook.Filter{Endpoint: endpoint.ID})).Deliveries {
		fmt.Println(d.Type, d.Status)
	}
	// Output:
	// told of parcel.posted p1
	// parcel.posted delivered
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
