package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/openapi.json")

//go:generate go test -run TestOpenAPI -update .

// The document is part of the repository, so that a change of the contract is seen in review.
func TestOpenAPI(t *testing.T) {
	const file = "../../docs/openapi.json"
	s := onSQLite(t)
	var served bytes.Buffer
	require.NoError(t, json.Indent(&served, []byte(s.as("", "GET", "/openapi.json", "").text), "", "  "))
	served.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile(file, served.Bytes(), 0o644))
	}
	committed, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(committed), served.String(), "the API has changed: go generate ./cmd/orderd")
}
