//go:build unix

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
)

// list is the committed file that says what is mutated and who must notice.
type list struct {
	Head    []string // its comment
	Tests   []killers
	Mutants []mutant
}

// killers are the packages whose tests must notice a mutant of one package, the most likely one first.
type killers struct {
	Package string
	By      []string
}

// mutant is a mutation of the list, with what is known about it.
type mutant struct {
	identity
	Equivalent string // why no test can tell it from the original: it is not run and not counted
	Survives   string // why no test is wanted: it is run and counted
	Killer     string // PACKAGE.TestName that killed it last, which is tried first
}

// The lines of a list. Fields are separated by tabs, because texts have spaces.
const (
	lineTests      = "tests"
	lineEquivalent = "\tequivalent: "
	lineSurvives   = "\tsurvives: "
	lineKiller     = "\tkilled by: "
)

func readList(path string) (*list, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := &list{}
	for i, line := range strings.Split(string(text), "\n") {
		if err := l.line(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	if len(l.Tests) == 0 {
		return nil, fmt.Errorf("%s: no line begins with %q", path, lineTests)
	}
	return l, nil
}

func (l *list) line(line string) error {
	switch {
	case line == "":
		return nil
	case strings.HasPrefix(line, "#"):
		l.Head = append(l.Head, line)
		return nil
	case strings.HasPrefix(line, "\t"):
		return l.note(line)
	}
	fields := strings.Split(line, "\t")
	if fields[0] == lineTests && len(fields) == 3 {
		l.Tests = append(l.Tests, killers{Package: fields[1], By: strings.Fields(fields[2])})
		return nil
	}
	if len(fields) < 5 {
		return fmt.Errorf("%q has %d fields instead of package, function, kind, number and text", line, len(fields))
	}
	n, err := strconv.Atoi(fields[3])
	if err != nil {
		return err
	}
	l.Mutants = append(l.Mutants, mutant{identity: identity{
		Package: fields[0], Func: fields[1], Kind: fields[2], N: n, Text: strings.Join(fields[4:], "\t"),
	}})
	return nil
}

// note reads a line that belongs to the mutant above it.
func (l *list) note(line string) error {
	if len(l.Mutants) == 0 {
		return fmt.Errorf("%q stands below no mutant", line)
	}
	m := &l.Mutants[len(l.Mutants)-1]
	for prefix, field := range m.notes() {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			*field = rest
			return nil
		}
	}
	return fmt.Errorf("%q is no note", line)
}

func (m *mutant) notes() map[string]*string {
	return map[string]*string{lineEquivalent: &m.Equivalent, lineSurvives: &m.Survives, lineKiller: &m.Killer}
}

func (l *list) write(path string) error {
	var b bytes.Buffer
	for _, line := range l.Head {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	for _, k := range l.Tests {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", lineTests, k.Package, strings.Join(k.By, " "))
	}
	fmt.Fprintln(&b)
	for _, m := range l.Mutants {
		fmt.Fprintln(&b, m.identity)
		for _, prefix := range []string{lineEquivalent, lineSurvives, lineKiller} {
			if value := *m.notes()[prefix]; value != "" {
				fmt.Fprintln(&b, prefix+value)
			}
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// by returns the packages whose tests a mutant must face: first its killer's.
func (l *list) by(m mutant) []string {
	for _, k := range l.Tests {
		if k.Package == m.Package {
			return k.By
		}
	}
	return nil
}

// allSites reads every package that the list mutates.
func (l *list) allSites(top string) ([]site, error) {
	var all []site
	for _, k := range l.Tests {
		found, err := sites(top, k.Package)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// locate finds the site of every mutant. One that is gone makes the list stale, which is an error.
func (l *list) locate(top string) (map[identity]site, error) {
	all, err := l.allSites(top)
	if err != nil {
		return nil, err
	}
	byIdentity := make(map[identity]site, len(all))
	for _, s := range all {
		byIdentity[s.identity] = s
	}
	located := make(map[identity]site, len(l.Mutants))
	var gone []string
	for _, m := range l.Mutants {
		s, ok := byIdentity[m.identity]
		if !ok {
			gone = append(gone, m.String())
			continue
		}
		if _, twice := located[m.identity]; twice {
			return nil, fmt.Errorf("the list has a mutant twice:\n%s", m)
		}
		located[m.identity] = s
	}
	if len(gone) > 0 {
		return nil, fmt.Errorf("the source no longer has what the list mutates; replace these by go run ./internal/mutate "+
			"-generate:\n%s",
			strings.Join(gone, "\n"))
	}
	return located, nil
}

// ranked sorts sites by a hash of the seed and their identity. So a choice of the first n is random, and a
// change of the source changes only what it must.
func ranked(all []site, seed string) []site {
	ranked := slices.Clone(all)
	slices.SortFunc(ranked, func(a, b site) int {
		return cmp.Or(cmp.Compare(rank(seed, a.identity), rank(seed, b.identity)), cmp.Compare(a.String(), b.String()))
	})
	return ranked
}

func rank(seed string, i identity) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\n%s", seed, i)
	return mix(h.Sum64())
}

// mix spreads the last bytes of a text over the whole hash, which fnv leaves to its low bits.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
