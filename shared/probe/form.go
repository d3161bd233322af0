package probe

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// form is an HTML form as far as a login needs it.
type form struct {
	method, action string
	fields         []field
}

// field is one control of a form; kind is an input's type in lower case, "text" if it has none.
type field struct{ name, kind, value, hint string }

// parseForms returns the forms of a page. Controls that a browser would not send (disabled, unnamed, unchecked) are
// left out; of several submit buttons the first counts as pressed.
func parseForms(page []byte) []form {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil { // only a failing reader can cause it
		return nil
	}
	var out []form
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == atom.Form {
			out = append(out, parseForm(n))
		}
	}
	return out
}

func parseForm(n *html.Node) form {
	f := form{method: strings.ToUpper(attr(n, "method")), action: strings.TrimSpace(attr(n, "action"))}
	if f.method == "" {
		f.method = http.MethodGet
	}
	submitted := false
	for c := range n.Descendants() {
		if c.Type != html.ElementNode || c.DataAtom != atom.Input && c.DataAtom != atom.Button {
			continue
		}
		in, ok := parseField(c)
		if !ok {
			continue
		}
		if in.kind == "submit" {
			if submitted {
				continue
			}
			submitted = true
		}
		f.fields = append(f.fields, in)
	}
	return f
}

func parseField(n *html.Node) (field, bool) {
	in := field{name: attr(n, "name"), kind: strings.ToLower(attr(n, "type")), value: attr(n, "value"),
		hint: strings.ToLower(attr(n, "autocomplete") + " " + attr(n, "name") + " " + attr(n, "id"))}
	if in.name == "" || has(n, "disabled") {
		return field{}, false
	}
	if n.DataAtom == atom.Button && in.kind == "" {
		in.kind = "submit" // the default type of a button
	}
	switch in.kind {
	case "":
		in.kind = "text"
	case "button", "reset", "image", "file":
		return field{}, false
	case "checkbox", "radio":
		if in.value == "" {
			in.value = "on"
		}
		return in, has(n, "checked")
	}
	return in, true
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// password returns the name of the form's password field, "" if it has none. A form with two is for choosing a new
// password or for registering, not for logging in.
func (f form) password() string {
	name := ""
	for _, in := range f.fields {
		if in.kind == "password" {
			if name != "" {
				return ""
			}
			name = in.name
		}
	}
	return name
}

// identifying are the words by which the field for the user name is known, best first.
var identifying = []string{"username", "email", "user", "login", "identifier", "upn", "account"}

// userName returns the name of the field for the user name, "" if no field looks like one. Beside a password field, the
// only text field is taken, whatever its name.
func (f form) userName() string {
	var texts []field
	for _, in := range f.fields {
		switch in.kind {
		case "text", "email", "tel":
			texts = append(texts, in)
		}
	}
	for _, word := range identifying {
		for _, in := range texts {
			if strings.Contains(in.hint, word) || in.kind == "email" && word == "email" {
				return in.name
			}
		}
	}
	if len(texts) == 1 && f.password() != "" {
		return texts[0].name
	}
	return ""
}

// values returns the fields as the page filled them in.
func (f form) values() url.Values {
	v := url.Values{}
	for _, in := range f.fields {
		v.Add(in.name, in.value)
	}
	return v
}
