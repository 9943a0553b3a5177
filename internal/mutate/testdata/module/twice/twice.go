// Package twice has the tests that another package lacks.
package twice
