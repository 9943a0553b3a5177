// Package count is small enough that what becomes of its mutants can be told by looking.
package count

import "errors"

// Counter counts up to a limit.
type Counter struct{ n, limit int }

// Add adds one; its tests go below and over the limit.
func (c *Counter) Add() error {
	if c.n >= c.limit {
		return errors.New("full")
	}
	c.n++
	return nil
}

// Max has no test for equal numbers, where it does not matter which is returned.
func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Down returns 0 after n steps.
func Down(n int) int {
	for n > 0 {
		n--
	}
	return n
}

// Both has no test at all here; package twice has one.
func Both(a, b bool) bool { return a && b }

// Positive has no test that runs without a server.
func Positive(n int) bool { return n > 0 }

// Unused has a plus that is no sum.
func Unused(text string) string { return "a" + text }
