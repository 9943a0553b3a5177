//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

const zookeeperJar = "/usr/share/java/zookeeper.jar"

// startZooKeeper starts a ZooKeeper with a single server, whose sessions may be short, and returns its
// address.
func startZooKeeper(ctx context.Context, dir string) (string, error) {
	java, err := find("java", "default-jre-headless")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(zookeeperJar); err != nil {
		return "", fmt.Errorf("%w (Debian's package libzookeeper-java has it)", err)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	config, log := filepath.Join(dir, "zoo.cfg"), filepath.Join(dir, "zookeeper.log")
	settings := fmt.Sprintf("tickTime=200\nminSessionTimeout=200\nmaxSessionTimeout=60000\ndataDir=%s\nclientPort=%d\n"+
		"clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n", dir, port)
	if err := os.WriteFile(config, []byte(settings), 0o644); err != nil {
		return "", err
	}
	server := exec.Command(java, "-Xmx256m", "-cp", zookeeperJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	if err := confine(server, dir); err != nil {
		return "", err
	}
	out, err := os.Create(log)
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	server.Stdout, server.Stderr = out, out
	ended, err := spawn(server)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := await(ctx, ended, func() error { return replies(addr, "srvr", "Zookeeper version") }); err != nil {
		return "", errors.Join(err, tail(log))
	}
	go mourn("ZooKeeper", ended, log)
	return addr, nil
}
