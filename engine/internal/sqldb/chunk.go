package sqldb

import "iter"

// Limits of one statement. SQLite allows 32766 parameters and MySQL's prepared statements 65535;
// packets default to 16 MiB on servers, much less behind proxies.
const (
	maxParams = 30_000
	maxBytes  = 1 << 20
)

// chunks cuts n rows into runs that fit one statement: at most maxRows rows (0: no such limit),
// and at most the parameters and bytes above, though never less than one row.
func chunks(n, maxRows, params int, size func(row int) int) iter.Seq2[int, int] {
	if maxRows <= 0 {
		maxRows = n
	}
	maxRows = max(1, min(maxRows, maxParams/max(1, params)))
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < n; {
			hi := lo + 1
			for bytes := size(lo); hi < n && hi-lo < maxRows; hi++ {
				if bytes += size(hi); bytes > maxBytes {
					break
				}
			}
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}

// sizeOf guesses how many bytes values take in a statement.
func sizeOf(values []any) int {
	n := 0
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
		n += 24
	}
	return n
}
