// Package cluster holds tests only: what the engine promises where each of three engines has a node of
// its own of a Galera cluster, and where nodes abort each other's transactions, lag, part and die.
// The names of its tests, and of those of the daemon, have Node in them.
package cluster
