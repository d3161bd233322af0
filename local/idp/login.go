package idp

import (
	"crypto/subtle"
	"html/template"
	"net/http"
	"net/url"

	"alboidc.internal/shared/idp/idptest/imitation"
)

const (
	loginPath = "/login"
	// loginCookie begins the name of a cookie per login, so that two tabs of a browser do not disturb each other.
	loginCookie = "idp_login_"
)

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head>
<body><h1>Sign in</h1>
{{if .Problem}}<p role="alert">{{.Problem}}</p>{{end}}
{{if .ID}}<form method="post" action="` + loginPath + `">
<input type="hidden" name="id" value="{{.ID}}">
<label>User name <input type="text" name="username" autocomplete="username" required></label>
<label>Password <input type="password" name="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>{{end}}</body></html>
`))

// showLogin answers the login form.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	p.env.Serve(w, r, "login", imitation.Text(r, r.URL.Query()), refuse, func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		if _, _, err := p.sessions.waiting(id); err != nil {
			renderLogin(w, http.StatusBadRequest, "", "This login is unknown or has expired.")
			return
		}
		renderLogin(w, http.StatusOK, id, "")
	})
}

// login checks the credentials and sends the browser back to the relying party with a code.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		renderLogin(w, http.StatusBadRequest, "", "The form cannot be read.")
		return
	}
	p.env.Serve(w, r, "login", imitation.Text(r, r.PostForm), refuse, p.checkLogin)
}

func (p *Provider) checkLogin(w http.ResponseWriter, r *http.Request) {
	id := r.PostForm.Get("id")
	_, cookie, err := p.sessions.waiting(id)
	sent, cookieErr := r.Cookie(loginCookie + id)
	// The cookie proves that this browser asked for the form: nobody can log a stranger's browser in.
	if err != nil || cookieErr != nil || subtle.ConstantTimeCompare([]byte(sent.Value), []byte(cookie)) != 1 {
		renderLogin(w, http.StatusBadRequest, "", "This login is unknown or has expired.")
		return
	}
	u, ok := p.users.authenticate(r.PostForm.Get("username"), r.PostForm.Get("password"))
	if !ok {
		renderLogin(w, http.StatusUnauthorized, id, "User name or password is wrong.")
		return
	}
	code, a, err := p.sessions.complete(id, u.sub)
	if err != nil {
		renderLogin(w, http.StatusBadRequest, "", "This login is unknown or has expired.")
		return
	}
	to, err := url.Parse(a.redirect)
	if err != nil {
		renderLogin(w, http.StatusBadRequest, "", "The application's address cannot be read.")
		return
	}
	query := to.Query()
	query.Set("code", code)
	if a.state != "" {
		query.Set("state", a.state)
	}
	to.RawQuery = query.Encode()
	http.SetCookie(w, &http.Cookie{Name: loginCookie + id, Path: loginPath, MaxAge: -1, Secure: true, HttpOnly: true})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

func renderLogin(w http.ResponseWriter, status int, id, problem string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = loginPage.Execute(w, struct{ ID, Problem string }{id, problem})
}
