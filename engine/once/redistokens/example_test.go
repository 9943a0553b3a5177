package redistokens_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"example.com/orderd/engine/once"
	"example.com/orderd/engine/once/redistokens"
)

// This one needs a Redis, so it is only compiled here.
func Example() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer func() { check(client.Close()) }()
	tokens := redistokens.New(client, redistokens.Config{})

	form := once.Binding{Holder: "session-1", Scope: "order"}
	token, err := tokens.Issue(ctx, form) // into a hidden field of the form
	check(err)

	// For every click on the form's button. A second one waits for the first and gets its answer.
	answer, first, err := tokens.Spend(ctx, token.Text, form, "2 boxes of tea", func(ctx context.Context) ([]byte, error) {
		return placeOrder(ctx, token.Text, "2 boxes of tea")
	})
	switch {
	case errors.Is(err, once.ErrUnknown):
		fmt.Println("the form is too old, load it again")
	case errors.Is(err, once.ErrBound):
		fmt.Println("the form was sent with another order in it")
	case err != nil:
		fmt.Println("try again:", err)
	default:
		fmt.Printf("%s, by this click: %t\n", answer, first)
	}
}

// placeOrder makes the token the key of the order: Redis may forget, the database does not.
func placeOrder(_ context.Context, key, _ string) ([]byte, error) { return []byte("order " + key), nil }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
