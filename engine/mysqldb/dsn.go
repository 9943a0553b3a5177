package mysqldb

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The value that a DSN may give to a setting that is fixed, in lower case. Whatever else it says
// is a contradiction. No value here means that the DSN may not have the setting at all.
var fixed = map[string][]string{
	"parseTime":             {"true", "1"},
	"interpolateParams":     {"true", "1"},
	"rejectReadOnly":        {"true", "1"},
	"loc":                   {"utc"},
	"collation":             {"utf8mb4_bin"},
	"charset":               {"utf8mb4"},
	"timeTruncate":          {"1us", "1µs"},
	"time_zone":             {"'+00:00'", "'utc'"},
	"tx_isolation":          {"'read-committed'"},
	"transaction_isolation": {"'read-committed'"},
	"sql_mode":              nil,
	"autocommit":            {"1", "on", "true"},
	"wsrep_on":              {"on", "1"},
	"wsrep_sync_wait":       {"7"},
	"wsrep_dirty_reads":     {"off", "0"},
}

// networks are the ways to a server. A DSN with a slip in it can make anything of a network,
// the password included, and errors of connecting name the network.
var networks = []string{"tcp", "tcp4", "tcp6", "unix"}

// configure parses a DSN and settles what correctness hangs on. Its errors hold nothing that is
// secret, so what stands before the parameters is never quoted.
func configure(dsn string) (*mysql.Config, error) {
	var params string
	if i := strings.LastIndexByte(dsn, '/'); i >= 0 {
		_, params, _ = strings.Cut(dsn[i:], "?")
	}
	if _, err := mysql.ParseDSN("/?" + params); err != nil {
		return nil, fmt.Errorf("mysqldb: the parameters of the DSN: %w", err)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil || !slices.Contains(networks, cfg.Net) {
		return nil, errors.New("mysqldb: the DSN does not have the form user:password@tcp(host:port)/database?parameters, " +
			"or unix(/path) for tcp(host:port)")
	}
	if cfg.DBName == "" {
		return nil, errors.New("mysqldb: the DSN names no database: user:password@tcp(host:port)/database")
	}
	if err := contradictions(params); err != nil {
		return nil, err
	}
	for name := range fixed { // settled on every connection, after the DSN's own
		delete(cfg.Params, name)
	}
	cfg.ParseTime = true
	cfg.InterpolateParams = true
	cfg.RejectReadOnly = true
	cfg.Loc = time.UTC
	cfg.Logger = &mysql.NopLogger{} // every failure is returned, too
	for _, timeout := range []struct {
		d       *time.Duration
		missing time.Duration
	}{
		{&cfg.Timeout, 5 * time.Second}, {&cfg.ReadTimeout, 30 * time.Second}, {&cfg.WriteTimeout, 30 * time.Second},
	} {
		if *timeout.d <= 0 {
			*timeout.d = timeout.missing
		}
	}
	if err := cfg.Apply(mysql.TimeTruncate(time.Microsecond), mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, fmt.Errorf("mysqldb: %w", err)
	}
	return cfg, nil
}

func contradictions(params string) error {
	var problems []error
	for param := range strings.SplitSeq(params, "&") {
		name, value, _ := strings.Cut(param, "=")
		allowed, ok := fixed[name]
		if !ok {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		if !slices.Contains(allowed, strings.ToLower(value)) {
			should := "it is set by this package"
			if len(allowed) > 0 {
				should = "it must be " + allowed[0]
			}
			problems = append(problems, fmt.Errorf("mysqldb: the DSN sets %s=%s: remove it, %s", name, value, should))
		}
	}
	return errors.Join(problems...)
}
