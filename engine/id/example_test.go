package id_test

import (
	"fmt"
	"strings"

	"example.com/orderd/engine/id"
)

func ExampleNew() {
	first := id.New("ord") // such as ord_06ekv3z8q2w7b9m1tz0c4de5fg
	second := id.New("ord")
	fmt.Println(strings.HasPrefix(first, "ord_"), first < second)
	// Output: true true
}
