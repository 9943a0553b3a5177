package ledger_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is done to the books behind the ledger's back is found.
func TestVerifyFindsCookedBooks(t *testing.T) {
	each(t, func(r *rig) {
		ada, bob := r.account("ada", 1000), r.account("bob", 0)
		moved, _, err := r.Move(r.Context(), by, r.key(), euros(ada, bob, 400))
		require.NoError(r, err)
		require.Empty(r, r.verify().Findings)
		for name, c := range map[string]struct {
			cook, undo string
			args       []any
			want       string
		}{
			"a balance": {"UPDATE accounts SET balance = balance + 1 WHERE id = ?", "UPDATE accounts SET balance = balance - 1 WHERE id = ?",
				[]any{ada.ID}, "its entries make 600"},
			"below zero": {"UPDATE accounts SET overdraft = FALSE WHERE owner = ?", "UPDATE accounts SET overdraft = TRUE WHERE owner = ?",
				[]any{"system"}, "the balance is -1000"},
			"an amount": {"UPDATE account_entries SET amount = amount - 5 WHERE transfer_id = ? AND amount < 0", "UPDATE account_entries SET amount = amount + 5 WHERE transfer_id = ? AND amount < 0",
				[]any{moved.ID}, "the entry of the account that gave says -405"},
			"an entry more": {"INSERT INTO account_entries SELECT account_id, 'trf_more', amount, at FROM account_entries WHERE transfer_id = ?", "DELETE FROM account_entries WHERE transfer_id = 'trf_more' AND account_id <> ?",
				[]any{moved.ID}, "belongs to trf_more, which is no transfer"},
			"a currency": {"UPDATE accounts SET currency = 'USD' WHERE id = ?", "UPDATE accounts SET currency = 'EUR' WHERE id = ?",
				[]any{bob.ID}, "of another kind or currency"},
			"a kind": {"UPDATE accounts SET kind = 'points' WHERE id = ?", "UPDATE accounts SET kind = 'money' WHERE id = ?",
				[]any{bob.ID}, "of another kind or currency"},
			"a transfer's currency": {"UPDATE transfers SET currency = 'USD' WHERE id = ?", "UPDATE transfers SET currency = 'EUR' WHERE id = ?",
				[]any{moved.ID}, "of another kind or currency"},
			"an overdraft": {"UPDATE accounts SET overdraft = TRUE WHERE id = ?", "UPDATE accounts SET overdraft = FALSE WHERE id = ?",
				[]any{bob.ID}, "wrong overdraft"},
			"a count": {"UPDATE accounts SET entries = 1 WHERE id = ?", "UPDATE accounts SET entries = 2 WHERE id = ?",
				[]any{ada.ID}, "the balance is 600 of 1 entries"},
			"a foreign entry": {"UPDATE account_entries SET transfer_id = 'trf_none' WHERE transfer_id = ?", "UPDATE account_entries SET transfer_id = ? WHERE transfer_id = 'trf_none'",
				[]any{moved.ID}, "belongs to trf_none"},
			"the other account": {"UPDATE transfers SET to_id = 'acc_none' WHERE id = ?", "UPDATE transfers SET to_id = '" + bob.ID + "' WHERE id = ?",
				[]any{moved.ID}, "that of the other 0"},
		} {
			require.NoError(r, r.db.Exec(c.cook, c.args...).Error, name)
			var said []string
			for _, f := range r.verify().Findings {
				said = append(said, f.Text)
			}
			require.Contains(r, strings.Join(said, "\n"), c.want, name)
			require.NoError(r, r.db.Exec(c.undo, c.args...).Error, name)
			require.Empty(r, r.verify().Findings, name)
		}
	})
}
