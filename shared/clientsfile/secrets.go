package clientsfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const isSecret = "looks like a secret, and this file must hold none: store it in AWS Secrets Manager, give its " +
	"ARN, and " +
	"replace it where it was issued"

var (
	// telling are names under which people paste secrets. Fields of ours with such names hold objects.
	telling = regexp.MustCompile(
		`^((client|app|user|my)?secret(value|key|text|string|token)?|.*(password|passwd|passphrase)|` +
			`(api|access|admin|auth|bearer|refresh|id|management|ssws)?token|(private|secret|api|access|signing)key|` +
			`credentials?|pem|jwk|authorization)$`)
	// unmistakable are secrets by their form: private keys, JSON web tokens and keys, access keys of AWS, client
	// secrets
	// of Entra ID.
	unmistakable = regexp.MustCompile(`PRIVATE KEY-----|^eyJ[\w-]{8,}\.[\w-]{8,}\.|"d"\s*:\s*"[\w-]{40,}"|` +
		`^(AKIA|ASIA)[A-Z0-9]{16}$|^[\w~.-]{3}\dQ~[\w~.-]{20,}$`)
	// fieldName is what a field may be called to be shown in a message.
	fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:/ -]{0,47}$`)
)

// looksRandom reports whether a text is one that nobody makes up: long, and of several kinds of characters.
func looksRandom(s string) bool {
	if len(s) < 12 || strings.ContainsAny(s, " \n") || strings.HasPrefix(s, "arn:") || strings.Contains(s, "://") {
		return false
	}
	kinds := 0
	for _, is := range []func(rune) bool{unicode.IsUpper, unicode.IsLower, unicode.IsDigit,
		func(r rune) bool { return strings.ContainsRune("~!#$%^&*+=?", r) }} {
		if strings.ContainsFunc(s, is) {
			kinds++
		}
	}
	return kinds >= 3 || kinds >= 2 && len(s) >= 20 && !strings.ContainsAny(s, "-_./")
}

// showName returns the name of a member as messages and paths have it, masked if it could be a pasted secret.
func showName(name string) string {
	if !fieldName.MatchString(name) || looksRandom(name) && strings.ContainsFunc(name, unicode.IsDigit) ||
		unmistakable.MatchString(name) {
		return "…"
	}
	return name
}

// isPastedName reports whether the name of a member is one that findSecrets takes for a secret.
func isPastedName(name string) bool {
	return showName(name) == "…" && (looksRandom(name) || unmistakable.MatchString(name))
}

// findSecrets reports the secrets that were pasted into a value, and notes their places as wrong. path is where the
// value counts, tags are free texts.
func (r *reader) findSecrets(n *node, path, name string) {
	for i, x := range n.items {
		r.findSecrets(x, fmt.Sprintf("%s[%d]", path, i), name)
	}
	for _, below := range n.names() {
		m := n.members[below]
		at := joinPath(path, showName(below))
		if isPastedName(below) {
			r.add(problem{m.line, m.column, joinPath(n.path, "…"), isSecret}, Error, at)
			continue
		}
		r.findSecrets(m.value, at, below)
	}
	if n.kind != text && n.kind != number || n.scalar == "" || strings.HasPrefix(n.scalar, "arn:") {
		return
	}
	plain := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	switch {
	case unmistakable.MatchString(n.scalar),
		plain != "secret" && telling.MatchString(plain) && !strings.Contains(path, "tags.") &&
			!strings.HasPrefix(n.scalar, "https://"),
		plain == "value" && strings.Contains(strings.ToLower(path), "secret."),
		(plain == "secret" || strings.HasSuffix(plain, "arn")) && looksRandom(n.scalar):
		r.addAt(n, path, "%s", isSecret)
	}
}
