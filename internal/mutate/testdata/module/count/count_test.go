package count

import (
	"os"
	"testing"
)

func TestCounterIsFullAtItsLimit(t *testing.T) {
	c := &Counter{limit: 1}
	if c.Add() != nil || c.Add() == nil {
		t.Fatal("not full after one")
	}
}

func TestMaxIsTheLarger(t *testing.T) {
	if Max(1, 2) != 2 || Max(2, 1) != 2 {
		_ = os.WriteFile("failure", nil, 0o600) // as some test libraries do
		t.Fatal("not 2")
	}
}

func TestDownEnds(t *testing.T) {
	if Down(3) != 0 {
		t.Fatal("not 0")
	}
}

func TestPositive(t *testing.T) {
	if os.Getenv("MODULE_SERVER") == "" {
		t.Skip("no server")
	}
	if Positive(0) {
		t.Fatal("0 is positive")
	}
}
