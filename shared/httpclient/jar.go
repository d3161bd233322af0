package httpclient

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// NewJar returns an empty jar that keeps cookies as browsers do: a cookie's path is compared with the path that a
// request has on the wire (RFC 6265, section 5.1.4). That of the standard library compares it with the decoded one, so
// a server whose paths hold escaped characters would get no cookie back (Keycloak, with a space in a realm's name).
func NewJar() http.CookieJar {
	jar, _ := cookiejar.New(nil) // without options it cannot fail
	return asSent{jar}
}

type asSent struct{ *cookiejar.Jar }

// SetCookies implements http.CookieJar.
func (j asSent) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(onTheWire(u), cookies)
}

// Cookies implements http.CookieJar.
func (j asSent) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(onTheWire(u)) }

// onTheWire is a URL whose Path is escaped.
func onTheWire(u *url.URL) *url.URL {
	sent := *u
	sent.Path, sent.RawPath = u.EscapedPath(), ""
	return &sent
}
