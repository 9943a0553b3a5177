package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDevListensOnLoopbackAlone(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8080", "127.9.9.9:1", "localhost:0", "[::1]:80"} {
		require.NoError(t, loopback(listen), listen)
	}
	for _, listen := range []string{"0.0.0.0:8080", ":8080", "[::]:80", "192.0.2.1:80", "example.com:80", "127.0.0.1", ""} {
		require.Error(t, loopback(listen), listen)
	}
}

func TestThePublicURL(t *testing.T) {
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for given, want := range map[string]string{
		"": "http://127.0.0.1:8080", "https://shop.example/": "https://shop.example", "http://h:1/orders": "http://h:1/orders",
	} {
		got, err := settings{PublicURL: given}.public(address)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, given := range []string{"shop.example", "ftp://h", "https://", "https://h?x", "https://h#x", "::"} {
		_, err := settings{PublicURL: given}.public(address)
		require.Error(t, err, given)
	}
}

func TestSecretsComeFromTheEnvironmentOrAFile(t *testing.T) {
	env := map[string]string{}
	read := func() (secrets, []error, error) { return readSecrets(func(name string) string { return env[name] }) }
	const name = "ORDERD_STANDARD_WEBHOOK_SECRET"

	s, warnings, err := read()
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, s.on(), "no secret, no provider")

	for _, bad := range []string{"whsec_", "whsec_c2hvcnQ=", "secret", "whsec_%%%"} {
		env[name] = bad
		s, warnings, err = read()
		require.NoError(t, err)
		require.Len(t, warnings, 1, bad)
		require.Empty(t, s.on(), bad)
		require.NotContains(t, warnings[0].Error(), "c2hvcnQ")
	}

	env[name] = testSecret
	s, _, err = read()
	require.NoError(t, err)
	require.Equal(t, []string{"standard"}, s.on())

	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(testSecret+"\n"), 0o600))
	env[name] = "@" + file
	s, _, err = read()
	require.NoError(t, err)
	require.Equal(t, []string{"standard"}, s.on())

	env[name] = "@" + file + ".missing"
	_, _, err = read()
	require.Error(t, err)
}
