package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/txn"
	"example.com/orderd/engine/verify"
)

// Checks are the ledger's invariants, for verify.Options.Extra. Each holds in every committed state.
func Checks() []verify.Check {
	return []verify.Check{
		verify.Rows("the entries of a transfer sum to zero, and are of its time", "transfers", MachineTransfer, `
			SELECT t.id, t.amount, COALESCE(f.amount, 0), COALESCE(g.amount, 0)
			FROM transfers t LEFT JOIN account_entries f ON f.account_id = t.from_id AND f.transfer_id = t.id
				LEFT JOIN account_entries g ON g.account_id = t.to_id AND g.transfer_id = t.id
			WHERE t.id > ? AND t.id <= ? AND (COALESCE(f.amount, 0) <> -t.amount OR COALESCE(g.amount, 0) <> t.amount
				OR f.at <> t.created_at OR g.at <> t.created_at)`,
			"the amount is %d, the entry of the account that gave says %d, that of the other %d"),
		verify.Rows("a balance is the sum of its account's entries", "accounts", MachineAccount, `
			SELECT a.id, a.balance, a.entries, COALESCE(SUM(e.amount), 0), COUNT(e.transfer_id)
			FROM accounts a LEFT JOIN account_entries e ON e.account_id = a.id
			WHERE a.id > ? AND a.id <= ? GROUP BY a.id, a.balance, a.entries
			HAVING a.balance <> COALESCE(SUM(e.amount), 0) OR a.entries <> COUNT(e.transfer_id)`,
			"the balance is %d of %d entries; its entries make %d, and there are %d"),
		verify.Rows("no balance is below zero unless it may be", "accounts", MachineAccount, `
			SELECT id, balance, entries FROM accounts WHERE id > ? AND id <= ? AND balance < 0 AND NOT overdraft`,
			"the balance is %d after %d entries"),
		verify.Rows("an account was last changed by one of its entries", "accounts", MachineAccount, `
			SELECT a.id, a.balance, a.entries FROM accounts a WHERE a.id > ? AND a.id <= ?
			AND NOT EXISTS (SELECT 1 FROM account_entries e WHERE e.account_id = a.id AND e.at = a.updated_at)
			AND (a.entries > 0 OR a.updated_at <> a.created_at)`,
			"the balance is %d after %d entries, none of which is of the time of its last change"),
		verify.Rows("a transfer is between two accounts of its kind and currency", "transfers", MachineTransfer, `
			SELECT t.id, t.amount FROM transfers t
				LEFT JOIN accounts f ON f.id = t.from_id LEFT JOIN accounts g ON g.id = t.to_id
			WHERE t.id > ? AND t.id <= ? AND (f.id IS NULL OR g.id IS NULL OR t.amount < 1
				OR f.currency <> t.currency OR g.currency <> t.currency OR f.kind <> g.kind)`,
			"%d went between accounts that are missing, or of another kind or currency"),
		verify.Rows("only the shop's own accounts may owe", "accounts", MachineAccount, `
			SELECT id, balance FROM accounts WHERE id > ? AND id <= ? AND overdraft <> (owner = '`+System+`')`,
			"the account has %d and the wrong overdraft"),
		{Name: "an entry belongs to a transfer of its account", Run: strays},
	}
}

// strayPart is how many entries one statement looks at.
const strayPart = 1000

// strays walks all entries in the order of their key and looks for those of no transfer.
func strays(ctx context.Context, g *gorm.DB, found func(verify.Finding)) error {
	db := g.WithContext(ctx)
	const after = `(e.account_id > ? OR e.account_id = ? AND e.transfer_id > ?)`
	account, transfer := "", ""
	for {
		next, last := "", ""
		err := txn.Each(db, fmt.Sprintf(`SELECT account_id, transfer_id FROM (
				SELECT account_id, transfer_id FROM account_entries e WHERE `+after+` ORDER BY account_id, transfer_id LIMIT %d) part
				ORDER BY account_id DESC, transfer_id DESC LIMIT 1`, strayPart),
			[]any{account, account, transfer}, func(rows *sql.Rows) error { return rows.Scan(&next, &last) })
		if err != nil || next == "" {
			return err
		}
		err = txn.Each(db, `SELECT e.account_id, e.transfer_id, e.amount
				FROM account_entries e LEFT JOIN transfers t ON t.id = e.transfer_id
				WHERE `+after+` AND (e.account_id < ? OR e.account_id = ? AND e.transfer_id <= ?)
				AND (t.id IS NULL OR e.account_id <> t.from_id AND e.account_id <> t.to_id)`,
			[]any{account, account, transfer, next, next, last}, func(rows *sql.Rows) error {
				var at, of string
				var amount int64
				if err := rows.Scan(&at, &of, &amount); err != nil {
					return err
				}
				found(verify.Finding{Invariant: verify.Money, Machine: MachineAccount, Subject: at,
					Text: fmt.Sprintf("an entry of %d belongs to %s, which is no transfer of this account", amount, of)})
				return nil
			})
		if err != nil {
			return err
		}
		account, transfer = next, last
	}
}
