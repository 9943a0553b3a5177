package diagram

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"example.com/orderd/engine"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	formats := map[string]func(engine.Description, View) string{".mmd": Mermaid, ".dot": DOT, ".svg": SVG}
	for _, e := range examples() {
		for extension, draw := range formats {
			t.Run(e.name+extension, func(t *testing.T) {
				got := draw(e.description, e.view)
				file := filepath.Join("testdata", e.name+extension)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s differs from what is drawn now; look at the change and run with -update", file)
				}
			})
		}
	}
}
