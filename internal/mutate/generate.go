//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// generate brings a list to n mutants: what the source still has stays, with its notes, and what is missing is
// chosen by the seed among all places whose mutant compiles. The result is in the order of the source.
func generate(ctx context.Context, top string, l *list, n int, seed string) error {
	all, err := l.allSites(top)
	if err != nil {
		return err
	}
	at := make(map[identity]int, len(all))
	for i, s := range all {
		at[s.identity] = i
	}
	l.Mutants = slices.DeleteFunc(l.Mutants, func(m mutant) bool { _, ok := at[m.identity]; return !ok })
	defer func() {
		slices.SortFunc(l.Mutants, func(a, b mutant) int { return cmp.Compare(at[a.identity], at[b.identity]) })
	}()
	has := map[identity]bool{}
	for _, m := range l.Mutants {
		has[m.identity] = true
	}
	for _, s := range ranked(all, seed) {
		if len(l.Mutants) >= n {
			break
		}
		if has[s.identity] {
			continue
		}
		ok, err := compiles(ctx, top, s)
		if err != nil {
			return err
		}
		if ok {
			l.Mutants = append(l.Mutants, mutant{identity: s.identity})
		}
	}
	if len(l.Mutants) < n {
		return fmt.Errorf("the source has only %d places to mutate", len(l.Mutants))
	}
	return nil
}

func compiles(ctx context.Context, top string, s site) (bool, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	replace, err := overlay(top, dir, s)
	if err != nil {
		return false, err
	}
	err = goCommand(ctx, top, "build", "-overlay", replace, "./"+s.Package)
	var exit *exec.ExitError
	if ctx.Err() == nil && errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}
