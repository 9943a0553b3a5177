package twice

import (
	"testing"

	"example.com/module/count"
)

func TestOneOfTwoIsNotBoth(t *testing.T) {
	if count.Both(true, false) {
		t.Fatal("both")
	}
}
