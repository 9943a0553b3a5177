package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "ledger"))
	db := must(sqlitedb.Open(filepath.Join(folder, "bank.db")))
	check(errors.Join(engine.Migrate(ctx, db), ledger.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, ledger.Machines()...))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()
	books := must(ledger.New(db, eng, eng, ledger.Config{}))

	desk := orders.Caller{Principal: "desk", Actor: "Dora"}
	open := func(owner string) ledger.Account {
		account, _, err := books.Open(ctx, desk, "", ledger.NewAccount{Owner: owner, Kind: ledger.Money, Currency: "EUR"})
		check(err)
		return account
	}
	ann, bob := open("ann"), open("bob")
	_, _, err := books.Deposit(ctx, desk, "slip-1", ann.ID, 1000, "cash")
	check(err)

	// Money moves once for each number, and never more than there is.
	move := func(seq string, amount int64) {
		_, result, err := books.Move(ctx, desk, seq, ledger.NewTransfer{From: ann.ID, To: bob.ID, Amount: amount, Currency: "EUR"})
		if errors.Is(err, engine.ErrIllegal) {
			fmt.Println("refused:", result.Refused[0].Reason)
			return
		}
		check(err)
		fmt.Println(result.Outcome)
	}
	move("rent", 700)
	move("rent", 700)
	move("more", 700)
	for _, id := range []string{ann.ID, bob.ID} {
		account := must(books.Account(ctx, id))
		fmt.Println(account.Owner, orders.FormatMoney(account.Balance, account.Currency))
	}
	// Output:
	// applied
	// already
	// refused: the balance is 3.00 EUR, so 7.00 EUR is too much
	// ann 3.00 EUR
	// bob 7.00 EUR
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
