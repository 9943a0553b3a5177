package webhook_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/outbox/webhook"
)

// Nothing private is dialled, however it is spelt, and whatever the environment says about proxies.
func TestPrivateAddressesAreNeverDialled(t *testing.T) {
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	t.Setenv("HTTP_PROXY", server.URL)
	t.Setenv("HTTPS_PROXY", server.URL)

	r := newRig(t, enginetest.SQLite(t))
	r.cfg.Guard = webhook.Guard{}
	w := r.another(t)
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "localhost.", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"0.0.0.0", "[::]", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]",
		"100.64.0.1", "198.18.0.1", "192.0.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::]",
		"[::ffff:0:127.0.0.1]", "[fec0::1]",
	} {
		_, _, err := w.Create(t.Context(), webhook.NewEndpoint{URL: "http://" + host + port, Events: []string{"*"}})
		var wrong *engine.RequestError
		if !errors.As(err, &wrong) || wrong.Field != "url" {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, url := range []string{
		"", "x", "http://", "//a.example", "gopher://a.example", "file:///etc/passwd", "http://u:p@a.example", "http://a.example#f", "http://a.example/ x",
		"http://a.example/" + strings.Repeat("x", 2048), "http://[::1", "http://a.example:port/", "http://a.example/\x00", "javascript:alert(1)",
	} {
		if _, _, err := w.Create(t.Context(), webhook.NewEndpoint{URL: url, Events: []string{"*"}}); err == nil {
			t.Errorf("%.80q was taken", url)
		}
	}
	// Names and numbers whose address only the dial shows: whoever made the endpoint allowed it then.
	for _, host := range []string{"127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"} {
		id, _ := r.endpoint(t, "http://127.0.0.1"+port)
		if err := r.DB.Exec("UPDATE webhook_endpoints SET url = ? WHERE id = ?", "http://"+host+port, id).Error; err != nil {
			t.Fatal(err)
		}
		if a, err := w.Test(t.Context(), id); err != nil || a.Code != 0 || a.Problem == "" {
			t.Errorf("%s: %+v, %v", host, a, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d connections reached the private server", n)
	}
}

func TestExceptionsOfTheGuard(t *testing.T) {
	g, err := webhook.ParseGuard("127.0.0.0/8, fd00::/8 10.1.2.3/32")
	if err != nil || len(g.Allow) != 3 || g.Allow[0] != netip.MustParsePrefix("127.0.0.0/8") {
		t.Errorf("%+v, %v", g, err)
	}
	for _, text := range []string{"127.0.0.1", "all", "10.0.0.0/33"} {
		if _, err := webhook.ParseGuard(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if g, err := webhook.ParseGuard(""); err != nil || len(g.Allow) != 0 {
		t.Errorf("%+v, %v", g, err)
	}
}
