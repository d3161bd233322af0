package console

import (
	"crypto/subtle"
	"net/http"
)

// cookie is the name of the cookie that a browser has after it opened the URL.
const cookie = "rotator-console"

// policy is what pages may load and be loaded by: only what this server has.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// longestForm is how many bytes a form may have.
const longestForm = 8 << 10

// guard lets only requests in that are meant for this server: a name that somebody lets point to 127.0.0.1 is another
// Host.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		// same-origin, not no-referrer: a browser would send "Origin: null" with a form then (Fetch standard)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.Host != c.host {
			c.refuse(w, http.StatusMisdirectedRequest, "Open the URL that rotator console has printed, as it is.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		next.ServeHTTP(w, r)
	})
}

// enter exchanges the token in the URL for the cookie.
func (c *Console) enter(w http.ResponseWriter, r *http.Request) {
	if !equal(r.URL.Query().Get("token"), c.token) {
		c.refuse(w, http.StatusForbidden, "Open the URL that rotator console has printed, as it is.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: c.session, Path: c.path, HttpOnly: true,
		SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, c.path, http.StatusSeeOther)
}

// known lets requests in that have the cookie, and of those that change something only the forms of these pages.
func (c *Console) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if has, err := r.Cookie(cookie); err != nil || !equal(has.Value, c.session) {
			c.refuse(w, http.StatusForbidden, "Open the URL that rotator console has printed, as it is.")
			return
		}
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
			c.refuse(w, http.StatusForbidden, "Another site has asked for this.")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if r.Header.Get("Origin") != "http://"+c.host {
				c.refuse(w, http.StatusForbidden, "Another site has asked for this.")
				return
			}
			if err := r.ParseForm(); err != nil {
				c.refuse(w, http.StatusBadRequest, "The form cannot be read, or is too long.")
				return
			}
			if !equal(r.PostForm.Get("csrf"), c.form) {
				c.refuse(w, http.StatusForbidden, "The form is not one of this page. Load the page again.")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
