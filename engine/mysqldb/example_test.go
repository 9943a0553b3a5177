package mysqldb_test

import (
	"context"
	"os"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/mysqldb"
)

// This one needs a server, so it is only compiled here.
func ExampleOpen() {
	// SHOP_DSN is user:password@tcp(host:3306)/shop, with ?tls=true where the network is not one's own.
	db, err := mysqldb.Open(os.Getenv("SHOP_DSN"), mysqldb.MaxConns(64), mysqldb.LockWait(time.Second))
	check(err)
	pool, err := db.DB()
	check(err)
	defer func() { check(pool.Close()) }()

	check(engine.Migrate(context.Background(), db))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
