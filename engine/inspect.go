package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine/internal/sqldb"
)

// Severity says what a TableFinding means.
type Severity string

// The severities.
const (
	SeverityRefuse Severity = "refuse" // New refuses the machine: rows could be lost, mixed up or left half moved
	SeverityWarn   Severity = "warn"   // the engine works; something is better known
)

// TableFinding is one thing about a real table that its machine has to know.
type TableFinding struct {
	Machine  string   `json:"machine"`
	Table    string   `json:"table"`
	Column   string   `json:"column,omitempty"` // empty where it concerns the table
	Severity Severity `json:"severity"`
	Problem  string   `json:"problem"`
	Remedy   string   `json:"remedy"` // the SQL to run, or what to write in Go
}

// String is the finding in one line.
func (f TableFinding) String() string {
	place := "table " + f.Table
	if f.Column != "" {
		place = "column " + f.Table + "." + f.Column
	}
	return fmt.Sprintf("machine %s: %s: %s: %s", f.Machine, place, f.Problem, f.Remedy)
}

// Inspection is what Inspect found, machine by machine.
type Inspection struct {
	Findings []TableFinding `json:"findings"`
}

// Err is an *InspectionError of all findings for which New refuses, nil if there are none.
func (i Inspection) Err() error {
	var refused []TableFinding
	for _, f := range i.Findings {
		if f.Severity == SeverityRefuse {
			refused = append(refused, f)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &InspectionError{Findings: refused}
}

// InspectionError says why New cannot drive some tables safely, all reasons at once, each with its remedy.
type InspectionError struct {
	Findings []TableFinding
}

// Error has one line for each finding.
func (e *InspectionError) Error() string {
	lines := []string{"the tables cannot be driven safely as they are:"}
	for _, f := range e.Findings {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Inspect looks at the real tables of some machines, in the database's own catalogue, and says what the engine
// cannot drive safely and what is better known, each with its remedy. It reads no rows and changes nothing. New does the
// same, refuses what it must and logs the rest. The error is that of a database which does not answer, or whose
// settings are refused.
func Inspect(ctx context.Context, db *gorm.DB, machines ...AnyMachine) (Inspection, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return Inspection{}, err
	}
	in := Inspection{Findings: []TableFinding{}}
	for _, any := range machines {
		plain, err := erased(any)
		if err != nil {
			return in, err
		}
		m, err := plain.bound(db.NamingStrategy)
		if err != nil {
			return in, err
		}
		found, _, err := look(ctx, d, m)
		if err != nil {
			return in, err
		}
		in.Findings = append(in.Findings, found...)
	}
	return in, nil
}

// look looks at the table of one machine.
func look(ctx context.Context, db *sqldb.DB, m *machine) ([]TableFinding, sqldb.TableInfo, error) {
	info, err := db.Describe(ctx, m.row.table)
	if err != nil {
		return nil, info, fmt.Errorf("machine %s: %w", m.name, err)
	}
	l := &looking{m: m, row: m.row, info: info, dialect: db.Dialect(), stored: storedStates(m)}
	if c := info.Column(m.row.state.DBName); c != nil && c.Charset != "" {
		if l.lost, err = db.LostIn(ctx, c.Charset, l.stored); err != nil {
			return nil, info, fmt.Errorf("machine %s: %w", m.name, err)
		}
	}
	l.all()
	return l.found, info, nil
}

// looking is one look at a table.
type looking struct {
	m       *machine
	row     *rowType
	info    sqldb.TableInfo
	dialect sqldb.Dialect
	stored  []string // what the table holds for the states
	lost    []string // of these, what the column's character set has no characters for
	found   []TableFinding
}

func (l *looking) add(s Severity, column, remedy, problem string, args ...any) {
	l.found = append(l.found, TableFinding{
		Machine: l.m.name, Table: l.row.table, Column: column, Severity: s, Problem: fmt.Sprintf(problem, args...), Remedy: remedy,
	})
}

// modify is the SQL that gives a column another type, or what to do where there is none.
func (l *looking) modify(column, definition string) string {
	if sql := l.dialect.Modify(l.row.table, column, definition); sql != "" {
		return sql
	}
	return fmt.Sprintf("make the table anew with %s %s", column, definition)
}

func (l *looking) all() {
	if !l.table() {
		return
	}
	l.id()
	l.state()
	l.version()
	l.others()
	l.exclusive()
	for _, t := range l.info.Triggers {
		l.add(SeverityWarn, "", "see that it leaves the key, the state and the version alone, and lets updates pass",
			"the trigger %s runs inside the engine's transactions", t)
	}
	if l.info.ReadOnly {
		l.add(SeverityWarn, "", "connect to the primary", "the server takes no writes (read_only)")
	}
	slices.SortStableFunc(l.found, func(a, b TableFinding) int {
		if c := strings.Compare(string(a.Severity), string(b.Severity)); c != 0 { // "refuse" comes before "warn"
			return c
		}
		return strings.Compare(a.Column, b.Column)
	})
}

// table looks at the table itself; false if there is none to look into.
func (l *looking) table() bool {
	switch l.info.Kind {
	case "":
		l.add(SeverityRefuse, "", "create it, for example by db.AutoMigrate of the row type, or name it by TableName",
			"the table does not exist")
		return false
	case "BASE TABLE", "SYSTEM VERSIONED":
	default:
		l.add(SeverityRefuse, "", "give the row type a TableName that names the table beneath", "it is a %s, not a table",
			strings.ToLower(l.info.Kind))
		return false
	}
	if l.info.Unsafe {
		l.add(SeverityRefuse, "", "ALTER TABLE "+sqldb.Quote(l.row.table)+" ENGINE = InnoDB",
			"its storage engine %s has no transactions: a refused request would leave the row moved", l.info.Engine)
	}
	return true
}

// driven is the column of a driven field, nil if it is missing or computed by the database, which is told.
func (l *looking) driven(f *schema.Field, remedy string) *sqldb.ColumnInfo {
	c := l.info.Column(f.DBName)
	switch {
	case c == nil:
		l.add(SeverityRefuse, f.DBName, remedy, "the column of the field %s does not exist", f.Name)
	case c.Generated:
		l.add(SeverityRefuse, f.DBName, "name the column that it is computed from, by a gorm column tag",
			"the database computes it, so that nobody can write it")
		return nil
	}
	return c
}

func (l *looking) id() {
	f := l.row.id
	c := l.driven(f, fmt.Sprintf("name the column of the key by `gorm:\"column:…\"` on %s", f.Name))
	if c == nil {
		return
	}
	switch {
	case !l.info.UniqueOn(f.DBName):
		l.add(SeverityRefuse, f.DBName, "ALTER TABLE "+sqldb.Quote(l.row.table)+" ADD UNIQUE KEY ("+sqldb.Quote(f.DBName)+
			"), or give the rows a key of one column",
			"no primary or unique key consists of it alone (%s), so that one request could move the rows of others", l.keys())
	case c.Nullable:
		l.add(SeverityRefuse, f.DBName, l.modify(f.DBName, strings.ToUpper(c.Type)+" NOT NULL"),
			"it can be NULL: rows without a key cannot be driven")
	}
	l.idType(c)
}

// keys names the unique keys, for people.
func (l *looking) keys() string {
	if len(l.info.Unique) == 0 {
		return "there is none"
	}
	var all []string
	for _, key := range l.info.Unique {
		all = append(all, strings.Join(key, ", "))
	}
	return "there is: " + strings.Join(all, "; ")
}

// Kinds of columns, as the databases name them.
var (
	integerKinds = []string{"tinyint", "smallint", "mediumint", "int", "integer", "bigint"}
	numberKinds  = []string{"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "decimal", "numeric", "float",
		"double", "real", "bit", "year"}
	textKinds  = []string{"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"}
	bytesKinds = []string{"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
)

// idType checks that the database compares keys as Go does. A text compared with a number is compared as a
// number: '5' and '05x' would be one key.
func (l *looking) idType(c *sqldb.ColumnInfo) {
	number := slices.Contains(numberKinds, c.Kind)
	switch {
	case l.row.ids.integer() && !slices.Contains(integerKinds, c.Kind) && l.dialect == sqldb.MySQL:
		l.add(SeverityRefuse, c.Name, fmt.Sprintf("make the field %s a string", l.row.id.Name),
			"the key is a number in Go and %s in the database, which compares them inexactly", c.Type)
	case !l.row.ids.integer() && c.Kind == "numeric" && l.dialect == sqldb.SQLite:
		l.add(SeverityWarn, c.Name, "declare it TEXT", "%s turns keys that look like numbers into numbers: 007 comes back as 7", c.Type)
	case !l.row.ids.integer() && number:
		l.add(SeverityRefuse, c.Name, fmt.Sprintf("make the field %s an int64", l.row.id.Name),
			"the key is a text in Go and %s in the database, which compares them inexactly", c.Type)
	}
	if l.row.ids.integer() || number {
		return
	}
	folds := c.Collation != "" && !strings.HasSuffix(c.Collation, "_bin") && c.Collation != "binary"
	if l.dialect == sqldb.SQLite {
		folds = c.Collation != "" && !strings.EqualFold(c.Collation, "BINARY")
	}
	if folds {
		l.add(SeverityWarn, c.Name, l.modify(c.Name, strings.ToUpper(c.Type)+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"),
			"its collation %s takes some different keys for one: a request for another spelling is not_found, and the second "+
				"spelling cannot be created", c.Collation)
	}
	if (c.Kind == "binary" || c.Kind == "char") && !l.row.ids.fixed() {
		l.add(SeverityWarn, c.Name, l.modify(c.Name, "VAR"+strings.ToUpper(c.Type)+" NOT NULL"),
			"%s pads: keys that end in what it pads with, or are shorter, come back as others", c.Type)
	}
}

// storedStates is what a table holds for the machine's states, as text.
func storedStates(m *machine) []string {
	var all []string
	for _, s := range m.desc.States {
		all = append(all, fmt.Sprint(plainValue(m.row.states.arg(s.Name))))
	}
	return all
}

func (l *looking) state() {
	f := l.row.state
	c := l.driven(f, fmt.Sprintf("name the column of the state by `gorm:\"column:…\"` on %s", f.Name))
	if c == nil {
		return
	}
	stored := l.stored
	longest := 0
	for _, text := range stored {
		longest = max(longest, len(text))
	}
	if l.dialect == sqldb.SQLite {
		l.stateOnSQLite(c, stored)
		return
	}
	column, text := c.Name, sqldb.VarcharOf(longest)
	switch {
	case l.row.states.numbers():
		l.stateNumbers(c)
		return
	case c.Kind == "enum":
		var missing []string
		for _, s := range stored {
			if !slices.Contains(c.Members, s) {
				missing = append(missing, s)
			}
		}
		if len(missing) > 0 {
			// A member in another spelling would be taken for it; two that differ in case only cannot both be.
			kept := slices.DeleteFunc(slices.Clone(c.Members), func(member string) bool {
				return slices.ContainsFunc(missing, func(s string) bool { return strings.EqualFold(s, member) })
			})
			l.add(SeverityRefuse, column, l.modify(column, sqldb.Enum(append(kept, missing...))+notNull(c)),
				"it has no member for the states %s, spelled like that", strings.Join(missing, ", "))
		}
	case !slices.Contains(textKinds, c.Kind) && !slices.Contains(bytesKinds, c.Kind):
		l.add(SeverityRefuse, column, l.modify(column, text), "%s cannot hold the states of the machine, such as %s", c.Type, stored[0])
		return
	default:
		for _, s := range stored {
			if n := sizeIn(c, s); c.Length >= 0 && n > c.Length {
				l.add(SeverityRefuse, column, l.modify(column, text), "%s is too short for the state %s", c.Type, s)
				break
			}
		}
		for _, s := range stored {
			if c.Kind == "binary" && int64(len(s)) < c.Length || c.Kind == "char" && strings.HasSuffix(s, " ") {
				l.add(SeverityRefuse, column, l.modify(column, text), "%s pads: the state %q comes back as another", c.Type, s)
				break
			}
		}
	}
	if slices.Contains([]string{"ucs2", "utf16", "utf16le", "utf32"}, c.Charset) {
		l.add(SeverityRefuse, column, l.modify(column, text),
			"its character set %s has other bytes for plain letters than UTF-8, so that the engine's condition on "+
				"them never holds", c.Charset)
	}
	if len(l.lost) > 0 {
		l.add(SeverityRefuse, column, l.modify(column, text), "its character set %s has no characters for the states %s",
			c.Charset, strings.Join(l.lost, ", "))
	}
}

// sizeIn is how much a text takes of a column's length: characters, or bytes of binary ones.
func sizeIn(c *sqldb.ColumnInfo, s string) int64 {
	if slices.Contains(bytesKinds, c.Kind) || strings.HasSuffix(c.Kind, "text") {
		return int64(len(s))
	}
	return int64(len([]rune(s)))
}

func notNull(c *sqldb.ColumnInfo) string {
	if c.Nullable {
		return ""
	}
	return " NOT NULL"
}

func (l *looking) stateOnSQLite(c *sqldb.ColumnInfo, stored []string) {
	if c.Kind == "text" || c.Kind == "blob" {
		return
	}
	if l.row.states.numbers() {
		return
	}
	for _, s := range stored {
		if s != "" && strings.Trim(s, "0123456789.eE+-") == "" {
			l.add(SeverityRefuse, c.Name, "make the table anew with "+c.Name+" TEXT NOT NULL",
				"%s would store the state %s as a number", c.Type, s)
			return
		}
	}
}

func (l *looking) version() {
	f := l.row.version
	c := l.driven(f, fmt.Sprintf("%s; engine.AddVersion does it", l.dialect.AddVersion(l.row.table, f.DBName)))
	switch {
	case c == nil:
	case slices.Contains([]string{"tinyint", "smallint", "mediumint"}, c.Kind):
		l.add(SeverityRefuse, c.Name, l.modify(c.Name, "BIGINT NOT NULL DEFAULT 0"),
			"%s is too small for versions, which grow with every transition", c.Type)
	case !slices.Contains(integerKinds, c.Kind) && (l.dialect == sqldb.MySQL || c.Kind == "text"):
		l.add(SeverityRefuse, c.Name, l.modify(c.Name, "BIGINT NOT NULL DEFAULT 0"), "%s does not hold whole numbers as such", c.Type)
	case c.AutoIncrement:
		l.add(SeverityRefuse, c.Name, l.modify(c.Name, "BIGINT NOT NULL DEFAULT 0"),
			"the database numbers it: a version begins at 0 in each row")
	}
	if c != nil && l.info.UniqueOn(f.DBName) {
		l.add(SeverityRefuse, c.Name, "drop that key", "a unique key lets only one row have each version")
	}
	if l.info.UniqueOn(l.row.state.DBName) {
		l.add(SeverityRefuse, l.row.state.DBName, "drop that key", "a unique key lets only one row be in each state")
	}
}

// others looks at the columns that are not driven.
func (l *looking) others() {
	known := map[string]bool{}
	for name, f := range l.row.selects.columns {
		known[strings.ToLower(name)] = true
		c := l.info.Column(name)
		driven := f == l.row.id || f == l.row.state || f == l.row.version
		switch {
		case driven:
		case c == nil && slices.Contains(l.row.touched, f):
			l.add(SeverityRefuse, name, "add it, for example by db.AutoMigrate, or tag the field `gorm:\"-\"`",
				"the column of the field %s does not exist, and every transition sets it", f.Name)
		case c == nil && (f.Creatable || f.Updatable):
			l.add(SeverityWarn, name, "add it, for example by db.AutoMigrate, or tag the field `gorm:\"-\"`",
				"the column of the field %s does not exist: what creates a row or changes it fails", f.Name)
		case c != nil && c.Generated && (f.Creatable || f.Updatable):
			l.add(SeverityWarn, name, fmt.Sprintf("tag the field %s `gorm:\"->\"`", f.Name),
				"the database computes it: what creates a row or changes it fails")
		case c != nil && c.OnUpdate && !slices.Contains(l.row.touched, f):
			l.add(SeverityWarn, name, fmt.Sprintf("tag the field %s `gorm:\"autoUpdateTime\"`, so that the engine sets it", f.Name),
				"the database sets it with each transition (ON UPDATE): the row in Go does not show it")
		}
	}
	for _, c := range l.info.Columns {
		if !known[strings.ToLower(c.Name)] && !c.Nullable && !c.HasDefault && !c.Generated && !c.AutoIncrement && len(l.m.create) > 0 {
			l.add(SeverityWarn, c.Name, "give the row type a field for it, or the column a default",
				"no field of the row type has it, and it has no default: creations fail")
		}
	}
}

// learnTable keeps what statements depend on.
func (r *rowType) learnTable(info sqldb.TableInfo) {
	if c := info.Column(r.version.DBName); c != nil {
		r.nullableVersion = c.Nullable
	}
	for _, c := range info.Columns {
		if c.OnUpdate {
			r.setByDatabase = append(r.setByDatabase, c.Name)
		}
	}
}
