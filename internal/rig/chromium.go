//go:build linux

package main

import "context"

// findChromium returns the path of the browser, which each test starts for itself.
func findChromium(context.Context, string) (string, error) { return find("chromium", "chromium") }
