package admin_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine/outbox/webhook"
)

// TestInABrowser logs in, opens an order and acts on it. Whatever the browser complains about on the
// way, a broken policy for instance, fails it.
func TestInABrowser(t *testing.T) {
	chromium := os.Getenv("ORDERD_TEST_CHROMIUM")
	if chromium == "" {
		t.Skip("ORDERD_TEST_CHROMIUM names no browser")
	}
	s := start(t)
	o := s.paid("ada")
	ctx, complaints := openBrowser(t, chromium)

	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx, steps...))
	}
	see := func(script string) string {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		require.NoError(t, err)
		return text
	}
	do(chromedp.Navigate(s.url+"/admin/"),
		chromedp.SendKeys("#key", s.key("alice", auth.Operator)), chromedp.Submit("#key"), chromedp.WaitVisible(".orders"))
	do(chromedp.Click(".orders .id"), chromedp.WaitVisible(".timeline"), chromedp.WaitVisible("[data-copy]"))
	require.Equal(t, s.url+"/admin/orders/"+o.ID, see("location.href"))
	require.NotEqual(t, see(`getComputedStyle(document.querySelector(".machine-diagram .current rect")).fill`),
		see(`getComputedStyle(document.querySelector(".machine-diagram .state:not(.current) rect")).fill`), "the diagram has its style")

	form := `//details[.//input[@value="ship"]]`
	do(chromedp.Click(form+"/summary"), chromedp.SendKeys("#reason-ship", "parcel is ready"),
		chromedp.Click(form+"//button"), chromedp.WaitVisible(".notice.tone-good"))
	require.Contains(t, see(`document.querySelector(".notice").innerText`), "The order is shipped now, version 3.")
	require.EqualValues(t, 3, s.versions(o.ID))
	for _, width := range []int64{400, 1280} {
		do(chromedp.EmulateViewport(width, 800), chromedp.Navigate(s.url+"/admin/orders"), chromedp.WaitVisible(".orders"))
		require.Equal(t, fmt.Sprint(width), see("String(document.documentElement.scrollWidth)"), "nothing sticks out")
		do(chromedp.Navigate(s.url+"/admin/orders/"+o.ID), chromedp.WaitVisible(".timeline"))
		require.Equal(t, fmt.Sprint(width), see("String(document.documentElement.scrollWidth)"), "nothing sticks out")
	}
	_, _, err := s.hooks.Create(t.Context(), webhook.NewEndpoint{URL: "http://127.0.0.1:1/hooks/a-long-path-that-has-to-break-somewhere/and-goes-on", Events: []string{"*"}})
	require.NoError(t, err)
	s.relay(s.hooks)
	_, err = s.hooks.Step(t.Context(), 0)
	require.NoError(t, err)
	s.hooks.Wait()
	for _, width := range []int64{400, 1280} {
		for _, path := range []string{"/admin/messages", "/admin/deliveries"} {
			do(chromedp.EmulateViewport(width, 800), chromedp.Navigate(s.url+path), chromedp.WaitVisible(".sending"))
			require.Equal(t, fmt.Sprint(width), see("String(document.documentElement.scrollWidth)"), "nothing sticks out of "+path)
		}
	}
	do(chromedp.Click(".sending td button"), chromedp.WaitVisible(".notice.tone-good"))
	require.Empty(t, complaints())
}

// openBrowser starts a browser that ends with the test. complaints are what it has logged.
func openBrowser(t *testing.T, chromium string) (ctx context.Context, complaints func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.Flag("disable-gpu", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)

	var mu sync.Mutex
	var all []string
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, text)
	}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *cdplog.EventEntryAdded:
			note(e.Entry.Text + " " + e.Entry.URL)
		case *runtime.EventExceptionThrown:
			note(e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			note(fmt.Sprint("console.", e.Type))
		}
	}))
	for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{cdplog.Enable, runtime.Enable} {
		_, err := chromedp.Call(ctx, enable, cdp.Empty{})
		require.NoError(t, err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}
