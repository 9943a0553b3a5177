package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/orders/provider/standard"
)

// settings are those of a running daemon, by flag or environment. Secrets are not among them: they
// come from the environment or a file alone, because other users of a machine see its flags.
type settings struct {
	Listen       string `env:"ORDERD_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to serve HTTP on (${env}). Anything but loopback has to be said, and belongs behind a proxy that speaks TLS."`
	PublicURL    string `env:"ORDERD_PUBLIC_URL" placeholder:"URL" help:"How others reach this daemon, for links in its answers (${env}); http:// and the address unless given."`
	WebhookAllow string `env:"ORDERD_WEBHOOK_ALLOW" placeholder:"CIDRS" help:"Networks that webhooks may be posted to though they are private, separated by commas (${env})."`
	LogLevel     string `env:"ORDERD_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error (${env})."`
}

// public is the address that links in answers start with, without a slash at the end.
func (s settings) public(listening net.Addr) (string, error) {
	if s.PublicURL == "" {
		return "http://" + listening.String(), nil
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("public URL %q: want http:// or https:// and a host", s.PublicURL)
	}
	return strings.TrimRight(s.PublicURL, "/"), nil
}

// webhookGuard is which addresses webhooks may be posted to: public ones, and in development loopback.
func (s settings) webhookGuard(dev bool) (webhook.Guard, error) {
	g, err := webhook.ParseGuard(s.WebhookAllow)
	if err != nil {
		return g, fmt.Errorf("ORDERD_WEBHOOK_ALLOW: %w", err)
	}
	if dev {
		g.Allow = append(g.Allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return g, nil
}

// loopback refuses an address that others than this machine can reach.
func loopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if host == "localhost" {
		return nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.IsLoopback() {
		return fmt.Errorf("%q is not a loopback address, and the key of development is known to everybody", listen)
	}
	return nil
}

// secrets are the daemon's secrets. They print as nothing but their names.
type secrets struct {
	standard *standard.Provider // nil: off

	nats, kafka string // where messages go; may hold passwords; "" is off
	smtp        string // mail server for notifications; "" is off
	notifyURL   string // where notifications are posted; "" is off
	smsURL      string // gateway that is never told the same twice; "" is off
	redis       string // where submit tokens are kept; may hold a password; "" is the database
	zookeeper   string // who grants leases, host:port,… and the path of the nodes; "" is the database
}

// String keeps secrets out of logs, whatever is printed.
func (secrets) String() string { return "[secrets]" }

// GoString does the same for %#v.
func (s secrets) GoString() string { return s.String() }

// standardSecret is the variable of the standard provider's secret.
const standardSecret = "ORDERD_STANDARD_WEBHOOK_SECRET"

// readSecrets reads the secrets from environment variables, each its value or @ and a file that
// holds it. A provider whose secret is missing is off; so is one whose secret is malformed or short,
// which is worth a warning. A file that cannot be read is an error.
func readSecrets(getenv func(string) string) (s secrets, warnings []error, err error) {
	for _, one := range []struct {
		name string
		to   *string
	}{
		{"ORDERD_NATS", &s.nats}, {"ORDERD_KAFKA", &s.kafka}, {"ORDERD_SMTP", &s.smtp}, {"ORDERD_NOTIFY_URL", &s.notifyURL},
		{"ORDERD_SMS_URL", &s.smsURL},
		{"ORDERD_REDIS", &s.redis}, {"ORDERD_ZOOKEEPER", &s.zookeeper},
	} {
		if *one.to, err = secret(getenv, one.name); err != nil {
			return secrets{}, nil, fmt.Errorf("%s: %w", one.name, err)
		}
	}
	text, err := secret(getenv, standardSecret)
	switch {
	case err != nil:
		return secrets{}, nil, fmt.Errorf("%s: %w", standardSecret, err)
	case text == "":
		return s, nil, nil
	}
	if s.standard, err = standard.New(standard.Name, text); err != nil {
		s.standard = nil
		warnings = append(warnings, fmt.Errorf("%s: %w", standardSecret, err))
	}
	return s, warnings, nil
}

func secret(getenv func(string) string, name string) (string, error) {
	value := getenv(name)
	file, ok := strings.CutPrefix(value, "@")
	if !ok {
		return value, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
