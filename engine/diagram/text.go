package diagram

// advance holds the widths of the printable ASCII characters in thousandths of the font size, as
// sans-serif system fonts have them: the widest of Arial, Segoe UI and Roboto for each group of
// characters, so that text drawn with any of them stays inside the space reserved for it.
var advance = [...]int{
	' ': 280, '!': 290, '"': 400, '#': 600, '$': 570, '%': 890, '&': 740, '\'': 240,
	'(': 345, ')': 345, '*': 430, '+': 650, ',': 280, '-': 410, '.': 280, '/': 415,
	'0': 570, '1': 570, '2': 570, '3': 570, '4': 570, '5': 570, '6': 570, '7': 570,
	'8': 570, '9': 570, ':': 280, ';': 280, '<': 650, '=': 650, '>': 650, '?': 560,
	'@': 1020, 'A': 680, 'B': 670, 'C': 722, 'D': 722, 'E': 667, 'F': 611, 'G': 778,
	'H': 722, 'I': 290, 'J': 550, 'K': 667, 'L': 560, 'M': 900, 'N': 750, 'O': 778,
	'P': 667, 'Q': 778, 'R': 722, 'S': 667, 'T': 611, 'U': 722, 'V': 667, 'W': 944,
	'X': 667, 'Y': 667, 'Z': 611, '[': 300, '\\': 400, ']': 300, '^': 650, '_': 556,
	'`': 333, 'a': 560, 'b': 590, 'c': 525, 'd': 590, 'e': 560, 'f': 350, 'g': 590,
	'h': 570, 'i': 250, 'j': 250, 'k': 520, 'l': 250, 'm': 880, 'n': 570, 'o': 590,
	'p': 590, 'q': 590, 'r': 360, 's': 510, 't': 340, 'u': 570, 'v': 510, 'w': 755,
	'x': 500, 'y': 510, 'z': 500, '{': 350, '|': 260, '}': 350, '~': 650,
}

// otherAdvance is the width of characters outside the table: other alphabets are close to it, and
// wideAdvance, from the first of the wide scripts on, is that of ideographs and emoji.
const (
	otherAdvance = 620
	wideAdvance  = 1050
	wideFrom     = 0x1100
)

// textWidth estimates how wide a text is drawn at a font size.
func textWidth(s string, size float64) float64 {
	total := 0
	for _, r := range s {
		switch {
		case r >= wideFrom:
			total += wideAdvance
		case int(r) < len(advance) && advance[r] > 0:
			total += advance[r]
		default:
			total += otherAdvance
		}
	}
	return float64(total) * size / 1000
}
