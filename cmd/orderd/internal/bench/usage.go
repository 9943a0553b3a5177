package bench

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a server has used since its start, or between two moments.
type usage struct {
	cpu                  *time.Duration // nil where the server is not on this machine
	counts               bool           // whether what follows is known
	rows, bytes, flushes float64
}

func (u *usage) minus(before *usage) *usage {
	if u == nil || before == nil {
		return nil
	}
	d := &usage{
		counts: u.counts && before.counts,
		rows:   u.rows - before.rows, bytes: u.bytes - before.bytes, flushes: u.flushes - before.flushes,
	}
	if u.cpu != nil && before.cpu != nil {
		cpu := *u.cpu - *before.cpu
		d.cpu = &cpu
	}
	return d
}

// usage asks the server. An embedded database has none: what it uses is the client's.
func (s *site) usage(ctx context.Context) (*usage, error) {
	if !s.mysql {
		return nil, nil
	}
	rows, err := s.pool.QueryContext(ctx, `SHOW GLOBAL STATUS WHERE Variable_name IN
		('Handler_write', 'Handler_update', 'Innodb_data_written', 'Binlog_bytes_written', 'Innodb_data_fsyncs')`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	u := &usage{counts: true}
	for rows.Next() {
		var name string
		var value float64
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		switch name {
		case "Handler_write", "Handler_update":
			u.rows += value
		case "Innodb_data_written", "Binlog_bytes_written":
			u.bytes += value
		case "Innodb_data_fsyncs":
			u.flushes = value
		}
	}
	u.cpu = cpuOf(s.pid)
	return u, rows.Err()
}

// serverPID finds the database's process on this machine; 0 if it is elsewhere.
func serverPID(ctx context.Context, pool *sql.DB) int {
	var file, folder string
	if err := pool.QueryRowContext(ctx, "SELECT @@pid_file, @@datadir").Scan(&file, &folder); err != nil {
		return 0
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil || !strings.HasPrefix(string(name), "maria") && !strings.HasPrefix(string(name), "mysql") {
		return 0 // the file is of another machine, or another time
	}
	return pid
}

// ticksPerSecond is the unit of /proc, which has been the same on every Linux for decades.
const ticksPerSecond = 100

// cpuOf is the CPU time of a process, or nil.
func cpuOf(pid int) *time.Duration {
	if pid == 0 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return nil
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return nil
	}
	d := time.Duration(user+system) * (time.Second / ticksPerSecond)
	return &d
}
