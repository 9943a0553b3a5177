package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/verify"
	"example.com/orderd/internal/sqldb"
)

// Checks are the ledger's invariants, for verify.Options.Extra. Each holds in every committed state.
// Together the two about entries say that every balance is the sum of its entries.
func Checks() []verify.Check {
	return []verify.Check{
		verify.Rows("the entries of a transfer sum to zero", "transfers", MachineTransfer, `
			SELECT t.id, t.amount, COALESCE(SUM(e.amount), 0)
			FROM transfers t LEFT JOIN account_entries e ON e.transfer_id = t.id
			WHERE t.id > ? AND t.id <= ? GROUP BY t.id, t.amount, t.from_id, t.to_id
			HAVING COALESCE(SUM(e.amount), 1) <> 0 OR COUNT(*) <> 2
				OR SUM(CASE WHEN e.account_id = t.from_id THEN e.amount ELSE 0 END) <> -t.amount
				OR SUM(CASE WHEN e.account_id = t.to_id THEN e.amount ELSE 0 END) <> t.amount`,
			"the amount is %d, its entries make %d or are not those of its two accounts"),
		verify.Rows("a balance is that of the account's last entry", "accounts", MachineAccount, `
			SELECT a.id, a.balance, COALESCE(e.balance, 0)
			FROM accounts a LEFT JOIN account_entries e ON e.account_id = a.id AND e.number = a.entries
			WHERE a.id > ? AND a.id <= ? AND (a.balance <> COALESCE(e.balance, 0) OR (a.entries > 0 AND e.number IS NULL)
				OR EXISTS (SELECT 1 FROM account_entries later WHERE later.account_id = a.id AND later.number > a.entries))`,
			"the balance is %d, the last of its entries says %d or is not the last"),
		verify.Rows("no balance is below zero unless it may be", "accounts", MachineAccount, `
			SELECT id, balance, entries FROM accounts WHERE id > ? AND id <= ? AND balance < 0 AND NOT overdraft`,
			"the balance is %d after %d entries"),
		{Name: "an entry goes on from the one before it, and belongs to a transfer", Run: chains},
	}
}

// chainPart is how many entries one statement looks at.
const chainPart = 1000

// chains walks all entries in the order of their key and holds each against the one before it.
func chains(ctx context.Context, g *gorm.DB, found func(verify.Finding)) error {
	db, err := sqldb.Wrap(ctx, g)
	if err != nil {
		return err
	}
	const after = `(e.account_id > ? OR e.account_id = ? AND e.number > ?)`
	account, number := "", int64(0)
	for {
		next, last := "", int64(0)
		err := db.Each(ctx, fmt.Sprintf(`SELECT account_id, number FROM (
				SELECT account_id, number FROM account_entries e WHERE `+after+` ORDER BY account_id, number LIMIT %d) part
				ORDER BY account_id DESC, number DESC LIMIT 1`, chainPart),
			[]any{account, account, number}, func(rows *sql.Rows) error { return rows.Scan(&next, &last) })
		if err != nil || next == "" {
			return err
		}
		err = db.Each(ctx, `SELECT e.account_id, e.number, e.balance, COALESCE(p.balance, 0) + e.amount
				FROM account_entries e LEFT JOIN account_entries p ON p.account_id = e.account_id AND p.number = e.number - 1
				LEFT JOIN transfers t ON t.id = e.transfer_id
				WHERE `+after+` AND (e.account_id < ? OR e.account_id = ? AND e.number <= ?)
				AND (t.id IS NULL OR e.number < 1 OR e.number > 1 AND p.number IS NULL OR e.balance <> COALESCE(p.balance, 0) + e.amount)`,
			[]any{account, account, number, next, next, last}, func(rows *sql.Rows) error {
				var at string
				var n, says, makes int64
				if err := rows.Scan(&at, &n, &says, &makes); err != nil {
					return err
				}
				found(verify.Finding{Invariant: verify.Money, Machine: MachineAccount, Subject: at,
					Text: fmt.Sprintf("entry %d leaves %d, the one before it and its amount make %d, or it has no transfer", n, says, makes)})
				return nil
			})
		if err != nil {
			return err
		}
		account, number = next, last
	}
}
