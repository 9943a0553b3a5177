package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// SMTP is a sender of mail. Mail servers take the same mail twice, so it does not know repeats.
type SMTP struct {
	address  string // host and port
	host     string
	from     mail.Address
	auth     smtp.Auth // nil: none
	starttls bool      // must be offered; without it only loopback is spoken to
	now      func() time.Time
}

// NewSMTP reads a setting: smtp://user:password@host:port?from=shop@example.org. The password is sent
// over TLS only. A host that is not loopback must offer STARTTLS. Errors do not show the setting.
func NewSMTP(setting string, now func() time.Time) (*SMTP, error) {
	u, err := url.Parse(setting)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" {
		return nil, errors.New("want smtp://user:password@host:port?from=address")
	}
	from, err := mail.ParseAddress(u.Query().Get("from"))
	if err != nil {
		return nil, errors.New("want ?from=address")
	}
	s := &SMTP{host: u.Hostname(), from: *from, now: now}
	port := u.Port()
	if port == "" {
		port = "587"
	}
	s.address = net.JoinHostPort(s.host, port)
	ip := net.ParseIP(s.host)
	s.starttls = s.host != "localhost" && (ip == nil || !ip.IsLoopback())
	if name := u.User.Username(); name != "" {
		password, _ := u.User.Password()
		s.auth = smtp.PlainAuth("", name, password, s.host)
	}
	return s, nil
}

// Channel is email.
func (*SMTP) Channel() string { return "email" }

// KnowsRepeats is false.
func (*SMTP) KnowsRepeats() bool { return false }

// Format keeps the password out of logs.
func (s *SMTP) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "smtp %s", s.address) }

// Ready reports whether the server lets us in.
func (s *SMTP) Ready(ctx context.Context) error {
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	return c.Quit() // which closes the connection
}

// Send sends one mail. Until the end of its data nothing is sent, and a refusal by then is certain.
func (s *SMTP) Send(ctx context.Context, n Notification) error {
	to, err := mail.ParseAddress(n.Recipient)
	if err != nil {
		return fmt.Errorf("%w: the recipient is no mail address", ErrNotSent)
	}
	c, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Mail(s.from.Address); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if err := c.Rcpt(to.Address); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	data, err := c.Data()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if _, err := data.Write(s.compose(n, to)); err != nil {
		return err // whether its end went out is not known
	}
	var refused *textproto.Error
	if err := data.Close(); errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	} else if err != nil {
		return err
	}
	_ = c.Quit() // it is sent
	return nil
}

// dial connects, over TLS where that has to be, and logs in.
func (s *SMTP) dial(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	err = s.login(c)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (s *SMTP) login(c *smtp.Client) error {
	if offered, _ := c.Extension("STARTTLS"); offered {
		if err := c.StartTLS(&tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	} else if s.starttls {
		return errors.New("the mail server offers no TLS")
	}
	if s.auth == nil {
		return nil
	}
	return c.Auth(s.auth)
}

// compose writes the mail. Title and text are other people's words: nothing of them becomes a header.
func (s *SMTP) compose(n Notification, to *mail.Address) []byte {
	title := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, n.Title)
	var b strings.Builder
	for _, h := range [][2]string{
		{"From", s.from.String()}, {"To", to.String()}, {"Subject", mime.QEncoding.Encode("utf-8", title)},
		{"Date", s.now().UTC().Format(time.RFC1123Z)}, {"Message-ID", "<" + n.ID + "@" + s.host + ">"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
		{"Auto-Submitted", "auto-generated"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(n.Text, "\n", "\r\n"))) // a strings.Builder takes everything
	_ = w.Close()
	return []byte(b.String())
}
