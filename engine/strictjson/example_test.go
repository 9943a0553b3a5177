package strictjson_test

import (
	"fmt"

	"example.com/orderd/engine/strictjson"
)

// Two readers must not take one document for two different things.
func ExampleDecode() {
	var transfer struct {
		To     string `json:"to"`
		Amount int64  `json:"amount"`
	}
	for _, text := range []string{
		`{"to":"ann","amount":5}`,
		`{"to":"ann","amount":5,"amount":500}`,
		`{"to":"ann","Amount":500}`,
		`{"to":"ann","amount":5}{"to":"bob","amount":5}`,
	} {
		fmt.Println(strictjson.Decode([]byte(text), &transfer))
	}
	// Output:
	// <nil>
	// name "amount" twice in one object (at byte 23)
	// unknown field "Amount"
	// invalid character '{' after top-level value (at byte 24)
}
