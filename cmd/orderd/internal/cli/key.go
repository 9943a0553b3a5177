package cli

import (
	"errors"
	"io"
	"text/tabwriter"
	"time"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine"
	"example.com/orderd/engine/schema"
)

// Key groups the commands about API keys.
type Key struct {
	Create KeyCreate `cmd:"" help:"Make a key and show it once."`
	List   KeyList   `cmd:"" help:"List keys, without their secrets."`
	Revoke KeyRevoke `cmd:"" help:"End a key; running daemons follow within a second."`
}

// KeyCreate makes a key.
type KeyCreate struct {
	Principal string        `arg:"" help:"Whom the key speaks for. Give a new key to the same principal to replace an old one: repeated requests are still recognised."`
	Role      []string      `required:"" short:"r" help:"Role, may be repeated: viewer, checkout, operator, admin."`
	Name      string        `help:"What you call the key."`
	Expires   time.Duration `help:"How long it is valid, such as 2160h; for ever unless given."`
}

// Help has the example.
func (KeyCreate) Help() string {
	return "Example: orderd key create web-shop --role checkout --name 'shop front end' --db sqlite:shop.db"
}

// Run is the command.
func (c *KeyCreate) Run(e *Env, g *Globals) error {
	roles, err := auth.ParseRoles(c.Role)
	if err != nil {
		return usage(err)
	}
	k, text, err := auth.NewKey(c.Principal, c.Name, roles, e.Now(), c.Expires)
	if err != nil {
		return usage(err)
	}
	return e.withKeys(g, func(keys *auth.Store) error {
		if err := keys.Add(e.Context, k); err != nil {
			return err
		}
		shown := struct {
			auth.Key
			Text string `json:"key"`
		}{k, text}
		return e.print(g, shown, func(w *tabwriter.Writer) {
			say(w, "Key of", k.Principal+", shown only now:")
			say(w, text)
		})
	})
}

// KeyList lists keys.
type KeyList struct {
	Principal string `arg:"" optional:"" help:"Only this principal's."`
}

// Help has the example.
func (KeyList) Help() string { return "Example: orderd key list --json" }

// Run is the command.
func (c *KeyList) Run(e *Env, g *Globals) error {
	return e.withKeys(g, func(keys *auth.Store) error {
		all, err := keys.List(e.Context, c.Principal)
		if err != nil {
			return err
		}
		if all == nil {
			all = []auth.Key{}
		}
		return e.print(g, all, func(w *tabwriter.Writer) {
			say(w, "ID", "PRINCIPAL", "ROLES", "NAME", "CREATED", "EXPIRES", "REVOKED")
			for _, k := range all {
				say(w, k.ID, k.Principal, k.Roles, k.Name, date(k.CreatedAt), dateOr(k.ExpiresAt, "never"), dateOr(k.RevokedAt, "-"))
			}
		})
	})
}

// KeyRevoke ends a key.
type KeyRevoke struct {
	ID string `arg:"" help:"The key's id: the part between ork_ and the next underscore."`
}

// Help has the example.
func (KeyRevoke) Help() string { return "Example: orderd key revoke h3xq2nmfz4ta" }

// revoked is a key that has ended, by this call (applied) or an earlier one (already).
type revoked struct {
	Outcome engine.Outcome `json:"outcome"`
	auth.Key
}

// Run is the command.
func (c *KeyRevoke) Run(e *Env, g *Globals) error {
	return e.withKeys(g, func(keys *auth.Store) error {
		k, ended, err := keys.Revoke(e.Context, c.ID, e.Now())
		if errors.Is(err, auth.ErrNoKey) {
			return no("key %s: %v", c.ID, err)
		}
		if err != nil {
			return err
		}
		told := revoked{Outcome: engine.Applied, Key: k}
		if !ended {
			told.Outcome = engine.Already
		}
		return e.print(g, told, func(w *tabwriter.Writer) {
			if ended {
				say(w, "Key", k.ID, "of", k.Principal, "is revoked.")
				return
			}
			say(w, "Key", k.ID, "of", k.Principal, "was revoked at", dateOr(k.RevokedAt, "-"),
				"already: there was nothing left to revoke.")
		})
	})
}

func (e *Env) withKeys(g *Globals, f func(*auth.Store) error) error {
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	if err := schema.Check(e.Context, db.Gorm, e.Schema); err != nil {
		return err
	}
	return f(auth.NewStore(db.Gorm))
}

// closeQuietly ends a command's database; everything was committed before.
func closeQuietly(c io.Closer) { _ = c.Close() }
