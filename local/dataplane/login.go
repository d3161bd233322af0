package dataplane

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"alboidc.internal/shared/awstest/elbv2"
)

const (
	nonceCookie  = "AWSALBAuthNonce"
	statePurpose = "state"
	// loginTimeout is how long a user may take to log in (Elastic Load Balancing user guide, Authenticate users using
	// an Application Load Balancer, Client login timeout).
	loginTimeout = 15 * time.Minute
)

// loginState travels through the browser, sealed, in the state parameter.
type loginState struct {
	Rule   string    `json:"rule"`
	Return string    `json:"return"`
	Nonce  string    `json:"nonce"`
	Began  time.Time `json:"began"`
}

// authenticate performs an authenticate-oidc action and reports whether the request may go on.
func (v *visit) authenticate(o *elbv2.OIDC) bool {
	if v.r.Host == "" {
		v.report(Login, v.rule.ARN, MissingHostHeader)
		v.refuse(MissingHostHeader)
		return false
	}
	s, err := v.session(o)
	if err != nil {
		// The browser would send the same cookie for ever: it is told to forget it.
		http.SetCookie(v.w, &http.Cookie{Name: cookieName(o), Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
		v.report(Login, v.rule.ARN, InvalidCookie)
		v.refuse(InvalidCookie)
		return false
	}
	if s != nil {
		if id, ok := v.identity(s, o); ok {
			return v.addHeaders(o, id)
		}
	}
	switch o.OnUnauthenticated {
	case "allow":
		return true
	case "deny":
		page(v.w, http.StatusUnauthorized, "not logged in")
	default:
		v.sendToLogin(o)
	}
	return false
}

// cookieName is the name of the session cookie's first, and here only, part.
func cookieName(o *elbv2.OIDC) string { return o.CookieName + "-0" }

// session finds the session of the request's cookie: nil if there is none or it is over, an error if the cookie was
// not made by this load balancer.
func (v *visit) session(o *elbv2.OIDC) (*session, error) {
	c, err := v.r.Cookie(cookieName(o))
	if err != nil {
		return nil, nil
	}
	id, err := v.shared.unseal(o.CookieName, c.Value)
	if err != nil {
		return nil, InvalidCookie
	}
	return v.shared.find(string(id), o.CookieName, o.Issuer, v.plane.o.Now()), nil
}

// sendToLogin redirects the browser to the IdP.
func (v *visit) sendToLogin(o *elbv2.OIDC) {
	st := loginState{Rule: v.rule.ARN, Return: "https://" + v.r.Host + v.r.URL.RequestURI(), Nonce: rand.Text(),
		Began: v.plane.o.Now()}
	plain, err := json.Marshal(st)
	u, errURL := url.Parse(o.AuthorizationEndpoint)
	if err != nil || errURL != nil {
		v.report(Login, v.rule.ARN, UnhandledException)
		v.refuse(UnhandledException)
		return
	}
	q := u.Query()
	for _, p := range o.ExtraParams {
		q.Set(p.Key, p.Value)
	}
	q.Set("client_id", o.ClientID)
	q.Set("response_type", "code")
	q.Set("scope", o.Scope)
	q.Set("redirect_uri", v.redirectURI())
	q.Set("state", v.shared.seal(statePurpose, plain))
	u.RawQuery = q.Encode()
	// MaxAge: a browser does not go by the clock of this plane, which may be virtual.
	http.SetCookie(v.w, &http.Cookie{Name: nonceCookie, Value: st.Nonce, Path: "/", Secure: true, HttpOnly: true,
		Expires: st.Began.Add(loginTimeout), MaxAge: int(loginTimeout / time.Second)})
	v.w.Header().Set("Location", u.String())
	v.w.WriteHeader(http.StatusFound)
}

func (v *visit) redirectURI() string { return "https://" + v.r.Host + callbackPath }

// callback ends a login: it trades the code for tokens with the secret that this node serves now for the rule.
func (v *visit) callback() {
	st, err := v.checkCallback()
	if err != nil {
		v.report(Login, st.Rule, reasonOf(err))
		v.refuse(reasonOf(err))
		return
	}
	o := v.rule.OIDC()
	// A browser that goes away must not leave a spent code behind without a session.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), 2*idpTimeout)
	defer cancel()
	id, err := v.plane.logIn(ctx, o, url.Values{"grant_type": {"authorization_code"},
		"code":         {v.r.URL.Query().Get("code")},
		"redirect_uri": {v.redirectURI()}})
	now := v.plane.o.Now()
	v.report(Login, st.Rule, reasonOf(err))
	if err != nil {
		v.refuse(reasonOf(err))
		return
	}
	expires := now.Add(time.Duration(o.TimeoutSeconds) * time.Second)
	key := v.shared.add(&session{issuer: o.Issuer, cookie: o.CookieName, expires: expires, identity: id}, now)
	http.SetCookie(v.w, &http.Cookie{Name: cookieName(o), Value: v.shared.seal(o.CookieName, []byte(key)), Path: "/",
		Expires: expires,
		Secure:  true, HttpOnly: true})
	http.SetCookie(v.w, &http.Cookie{Name: nonceCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
	v.w.Header().Set("Location", st.Return)
	v.w.WriteHeader(http.StatusFound)
}

// checkCallback checks what the browser brought back, before the code is spent, and finds the rule of the login.
func (v *visit) checkCallback() (loginState, error) {
	var st loginState
	q := v.r.URL.Query()
	if v.r.Host == "" {
		return st, MissingHostHeader
	}
	if !q.Has("state") {
		return st, MissingStateParam
	}
	plain, err := v.shared.unseal(statePurpose, q.Get("state"))
	if err != nil || json.Unmarshal(plain, &st) != nil || v.plane.o.Now().After(st.Began.Add(loginTimeout)) {
		return st, InvalidStateParam
	}
	i := slices.IndexFunc(v.listener.Rules, func(r elbv2.Rule) bool { return r.ARN == st.Rule && r.OIDC() != nil })
	if i < 0 {
		return st, InvalidStateParam // the rule is gone from this node
	}
	v.rule = v.listener.Rules[i]
	c, err := v.r.Cookie(nonceCookie)
	if err != nil {
		return st, MissingNonce
	}
	if subtle.ConstantTimeCompare([]byte(c.Value), []byte(st.Nonce)) != 1 {
		return st, InvalidNonce
	}
	if q.Get("code") == "" {
		return st, MissingCodeParam
	}
	return st, nil
}
