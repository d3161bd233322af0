package browser

import (
	"bytes"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// form is a login form: the first one on a page that has a password field.
type form struct {
	action *url.URL
	fields []field
}

type field struct{ name, kind, value string }

var errNoForm = errors.New("the page has no login form")

// LoginForm reports whether the page asks for a password.
func (p Page) LoginForm() bool {
	_, err := p.loginForm()
	return err == nil
}

func (p Page) loginForm() (*form, error) {
	if kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "text/html" {
		return nil, errNoForm
	}
	root, err := html.Parse(bytes.NewReader(p.Body))
	if err != nil {
		return nil, errors.New("the page is not HTML")
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		f := &form{fields: inputs(n)}
		if f.index("password") < 0 {
			continue
		}
		if f.action, err = p.URL.Parse(attribute(n, "action")); err != nil {
			return nil, errors.New("the form's action cannot be read")
		}
		return f, nil
	}
	return nil, errNoForm
}

// inputs returns the fields that are sent: named ones, except for buttons.
func inputs(n *html.Node) []field {
	var out []field
	for c := range n.Descendants() {
		f := field{name: attribute(c, "name"), kind: strings.ToLower(attribute(c, "type")), value: attribute(c,
			"value")}
		if c.Type == html.ElementNode && c.Data == "input" && f.name != "" && f.kind != "submit" {
			out = append(out, f)
		}
	}
	return out
}

// fill returns the form's values with the credentials in the password field and in the text field before it.
func (f *form) fill(user, password string) (url.Values, error) {
	values := url.Values{}
	for _, x := range f.fields {
		values.Add(x.name, x.value)
	}
	secret := f.index("password")
	for i := secret - 1; i >= 0; i-- {
		if kind := f.fields[i].kind; kind == "text" || kind == "email" || kind == "" {
			values.Set(f.fields[i].name, user)
			values.Set(f.fields[secret].name, password)
			return values, nil
		}
	}
	return nil, errors.New("the form has no field for the user name")
}

func (f *form) index(kind string) int {
	for i, x := range f.fields {
		if x.kind == kind {
			return i
		}
	}
	return -1
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
